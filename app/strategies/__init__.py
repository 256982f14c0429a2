"""Decoding strategies: one file each, registered on import."""
