"""What can be measured of a run from its trace alone: no model, no forward pass, no drawing.

`settling` finds when each token was known, `emergence` when its kind of word was, `ordering` describes the order of
writing, `calibration` compares confidence with what was written in the end, `revisions` counts what was taken back.
`report` gathers all of them. `app.views` draws them, and `app.measure.analyse` prints them.
"""
