"""The map: every strategy, budget and preset on the same problems.

`configurations` lists what to run, `runs` runs it and resumes after a kill, `statistics` summarises the rows, `table`
and `figures` show them, `command` has the flags.
"""
