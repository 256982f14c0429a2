"""Deploy to a Hugging Face Space: read, check, render and push the Spacefile.

`schema` defines what a Spacefile may contain, `spacefile` reads it, `check` finds contradictions, `contents` chooses
the files, `render` makes them as they are uploaded, `model_choice` chooses the model for the hardware, `hub` talks to
Hugging Face, `plan` compares and pushes, `command` is `python -m app space`. `hardware` has the facts about Hugging
Face's hardware.
"""
