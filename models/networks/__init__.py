"""From a network to beliefs: forward passes, their reduction to `Prediction`s, and the autoregressive parent."""
