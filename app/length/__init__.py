"""How many masks a gap should have, where the user says `auto`.

`choose` looks at all lengths of one gap, writes a few out and ranks them; `settle` does so for every such gap of a
request; `choice` is the record. `fit` reads what was learnt of a checkpoint offline, which `fitting` learns; `measure`
says what it is worth. `sentences` reads the text around a gap, `fill_scores` says how probable a fill is.
"""
