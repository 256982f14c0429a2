"""Training: adapt an autoregressive model to masked diffusion (arXiv:2410.17891).

The commands are `python -m models.adapt`. Read `data`, `objective`, `plan` and `trainer`, then `stages`, which joins
them. Training data come from `models.corpus`, `data` and `gaps`; `parents` reads the model to start from; `checkpoints`
writes results; `ablation` and `curves` compare trainings; `frequencies` counts tokens for a checkpoint, and `classes`
finds their word classes.
"""
