"""Figures of a trace: one file per view, found automatically; no model, no gradio.

`unmasking_order`, `masks_left`, `heat_maps`, `number_of_masks`, `emergence`, `distance_from_text` and `calibration`
hold the views; `registry` finds them, `palette` has their colours and axes.
"""
