"""The page: the only package that imports gradio. The browser owns the form; Python answers and streams.

`launch` starts it and `page` builds it: `component` is the one component in which everything happens (its script and
style are assets/page/), `setup` what the browser is told once, `examples` the recorded runs that ship with it, and
`figures` the tabs below. `asked` reads what the browser asks for, `runs` makes one to four runs in an event, `outgoing`
is what they send, and `endpoint` does the same for programs. `runner` makes the traces in turn, `gate` pauses them,
`parent` makes those of the autoregressive parent; `pool` holds the models, `store` the last runs.

For who operates a server: `guard` and `connections` limit what a request may cost, `watch` follows every run for the
`log` and the `metrics`, and `shutdown` ends them.
"""

import os

# Before gradio is imported: no look-ups at start, and no statistics of all events after each one, which take 4 ms.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**9))
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")
