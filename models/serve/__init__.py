"""Many callers, one network: batching of concurrent runs, loading on demand."""
