"""Figures of a trace: one file per view, found automatically; no model, no gradio.

`unmasking_order`, `masks_left`, `heat_maps` and `number_of_masks` hold the views; `registry` finds them, `palette` has
their colours and axes.
"""
