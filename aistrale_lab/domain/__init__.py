"""Frozen values of the laboratory: no I/O, no SDK, no database."""
