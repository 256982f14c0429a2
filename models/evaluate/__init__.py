"""What a checkpoint can do, in numbers: `python -m models.evaluate MODEL --text VALID --problems FILE.jsonl`.

Each part answers for a diffusion model and for an autoregressive one: `likelihood`, `filling` (accuracy, infilling),
`sampling`. It is a command at the very top, above the application whose layout and metrics it uses; nothing imports it.
"""
