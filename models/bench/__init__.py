"""Models used only in measurements: the plain reference loop, random weights, shared states."""
