"""From autoregressive to diffusion: the adaptation recipe of arXiv:2410.17891 as commands, `python -m models.adapt`.

Read `data`, `objective`, `plan`, `trainer`, then `stages`, which joins them. Sources for fine-tuning are in
`data` and `gaps`, `parents` is what a training starts from, `checkpoints` what it writes, `ablation` and `curves` what
it teaches.
"""
