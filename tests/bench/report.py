"""`python tests/bench/report.py [ROWS]`: the report of an experiment of many answers.

Makes a store of two runs with so many results, then prints seconds, the size of the
file and the peak of this process's memory, for the page and for Markdown.
"""

import sys
import tempfile
from pathlib import Path

from results_table import fill, timed

from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.report import write_report
from aistrale_lab.store.results import Store

ROWS = 200_000


def peak() -> int:
    """The most memory this process ever had, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [kilobytes] = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(kilobytes) // 1_024


def main() -> None:
    """Print a line for each."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"sqlite:///{Path(folder)}/store.db")
        which = timed(f"made {rows:,} results", lambda: fill(store, rows))
        print(f"{'memory before':<34} {peak():6,} MB")
        for name in ("report.md", "report.html"):
            path = Path(folder) / name
            size = timed(
                name, lambda path=path: write_report(Experiment(store, which), path)
            )
            print(f"{name:<34} {size / 1_000:6,.0f} kB, peak {peak():,} MB")
        store.close()


if __name__ == "__main__":
    main()
