"""Widgets: they show what the lab knows, and decide nothing."""
