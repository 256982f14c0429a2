"""Everything that measures on problems whose answer is known, and the commands for it.

`run` runs strategies on problems, `bootstrap` computes intervals. `bench` is the command that compares strategies,
budgets, loops and speed; `map` covers all of them; `calibrate` makes presets; `length_*` measures how lengths are
chosen; `checkpoint` judges a checkpoint by what it writes.
"""
