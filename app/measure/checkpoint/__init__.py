"""Evaluate a checkpoint: accuracy, infilling, free samples.

Commands: `evaluate` (its parts are in `parts`, with `filling` and `sampling`), `quantized` (what quantising costs),
`quantize` (quantise once), `frequencies` (count tokens), `topics` (topic vectors of tokens), `classes` (their word
classes).
"""
