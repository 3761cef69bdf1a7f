"""Judges of answers: one small function per scorer, found by name."""

from aistrale_lab.scorers.registry import scorer

__all__ = ["scorer"]
