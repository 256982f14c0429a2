"""Models that exist only to be measured: the plain reference loop, random weights, shared states."""
