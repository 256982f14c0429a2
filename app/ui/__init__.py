"""The page: the only package that imports gradio.

`launch` starts it and `page` builds it: `form` has a widget for every field of a request (`widgets`, `controls`),
`denoising_view` is the live view (its script and style are in assets/), `figures` the tabs, `parent` the comparison
with the autoregressive parent, `endpoint` the same for programs. `runner` makes the traces, `pool` holds the models,
`store` the last runs.
"""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported: no look-ups at start
