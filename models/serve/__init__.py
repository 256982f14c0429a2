"""Many callers, one network: batch concurrent runs, load on demand."""
