"""From files to a network: find, download, place, read, quantise and convert checkpoints."""
