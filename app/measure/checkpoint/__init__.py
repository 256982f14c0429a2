"""Evaluate a checkpoint: accuracy, infilling, free samples.

Commands: `evaluate` (its parts are in `parts`, with `filling` and `sampling`), `quantized` (what quantising costs),
`quantize` (quantise once), `from_text` (`frequencies`, `topics` and `classes` of tokens).
"""
