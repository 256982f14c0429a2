"""Evaluations that need only a network: likelihood and the cost of quantising.

`likelihood` takes a diffusion model or an autoregressive one; `quantisation` compares the forms of one model; `table`
formats the results. Evaluations that also need the application, such as infilling, are in `app.measure`.
"""
