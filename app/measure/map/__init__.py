"""The map: what every strategy, preset and budget makes of the same problems, in quality against forward passes.

Read `configurations` (what is run), `runs` (how, and how a killed run goes on), `statistics` (what the rows say),
`table` and `figures` (how that is shown), `command` (the flags).
"""
