"""The trace of a run, its JSON form, its messages for the browser, and what can be said about it.

`trace` holds the record: every step, and the texts and counts that follow from it. `length_choice` holds how the number
of masks in a gap was chosen. `recording` writes a trace as JSON and reads it back. `branch` turns a state, with edits,
into the start of another run. `messages` turns a trace into the messages that the page draws. `examples` lists the
recorded runs that ship with the page. `verdict` says in a line how a run went, and `metrics` scores traces and texts.
"""
