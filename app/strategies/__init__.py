"""Which positions to commit: one file per strategy, found by being here."""
