"""From autoregressive to diffusion: the adaptation recipe of arXiv:2410.17891 as three commands.

`python -m models.adapt tokenizer | pretrain | adapt`; read `data`, `objective`, `trainer` in that order.
"""
