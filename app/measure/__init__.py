"""Measurements on problems with known answers, and their commands.

`problems` reads problems, `run` runs strategies on them, `bootstrap` computes confidence intervals. `bench` is the
command that compares strategies; its modes are in `map` (every strategy, budget and preset), `exact` (against a joint
that can be enumerated), `loops` (against the reference loop), `lossless` (speculation), `cached` (the dual cache),
`speed` (networks of random weights) and `page_speed`. `likelihood` scores fills by the parent. `calibrate` makes
presets from the curves of `reliability`. `length_command` fits length priors (`length_fit`) and measures chosen lengths
(`length_gain`). `soak` loads a page of its own (`soak_page`) with visitors (`soak_visitors`), and `soak_memory` is its
mode that watches the memory. `examples_command` records the examples of the page, `lessons_command` the runs and tables
of the lessons, `adaptation` what a model learns while it is adapted. `differences` compares the text of parent and
child. `proofread_command` marks words that look wrong, and `proofreading` measures how well. `analyse` prints what
`app.analysis` finds in a run, and runs problems to see when words are decided (`emergence`). `checkpoint` evaluates and
prepares checkpoints.
"""
