"""What each command is called with, and its help.

Nothing heavy is imported here: each command loads what it needs when it runs, so
that `aistrale --help` is there at once.
"""
