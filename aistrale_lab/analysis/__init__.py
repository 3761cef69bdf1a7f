"""Frames and numbers from stored results: pandas in, pandas out, no widgets."""
