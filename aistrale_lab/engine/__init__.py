"""Turns a task into results; knows no database and no screen."""
