"""Data sets, generator families, the fitting loop."""
