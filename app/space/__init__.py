"""Deploying to a Hugging Face Space: the Spacefile, what follows from it, and the command that makes it true.

`schema` says what a Spacefile may hold, `spacefile` reads it, `check` finds what contradicts it, `render` makes the
files that are uploaded, `presets` chooses the model for the hardware, `hub` talks to Hugging Face, `plan` compares and
does, `command` is `python -m app space`. Facts about hardware are in `app.space.hardware`.
"""
