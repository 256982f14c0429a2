"""Decoding strategies: one file each, found automatically."""
