"""Running networks: forward passes, their reduction to `Prediction`s, and the autoregressive parent."""
