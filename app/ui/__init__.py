"""The page: the only package that imports gradio.

`messages` is what travels to the browser, `runs` remembers traces for hovering and figures, `denoising_view` is the
custom component (its script and style are in assets/), `controls` turns strategies into widgets, `page` is the whole.
"""
