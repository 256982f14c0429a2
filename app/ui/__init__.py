"""The page: the only package that imports gradio.

`runs` remembers traces for hovering and figures, `denoising_view` is the custom component (its script and style are in
assets/), `controls` turns strategies into widgets, `page` is the whole, `speed` times it in a browser.
"""
