"""How texts of a diffusion model differ from those of its autoregressive parent (arXiv:2605.12522).

`texts` writes the texts of every row, `measures` computes the figures, `report` makes what is shipped of them, and
`command` is `python -m app differences`.
"""
