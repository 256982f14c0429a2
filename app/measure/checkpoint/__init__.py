"""What a checkpoint can do: likelihood, accuracy, infilling, free samples; for diffusion and autoregressive models."""
