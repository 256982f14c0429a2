"""A run after the fact: the `trace` itself, its JSON form (`recording`), what the browser gets (`messages`), `metrics`.

`length_choice` records how a gap's number of masks was chosen.
"""
