"""Figures drawn from a trace, without a model or gradio: `registry` finds every view in these files, one tab for each.

`unmasking_order`, `masks_left`, `heat_maps` and `number_of_masks` hold the views; `palette` has their colours and axes.
"""
