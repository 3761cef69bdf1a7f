"""`python -m aistrale_lab` is `aistrale`."""

from aistrale_lab.cli import main

if __name__ == "__main__":
    main()
