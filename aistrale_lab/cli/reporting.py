"""`report`: an experiment as one file, for whoever has no bench."""

from pathlib import Path

from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.options import Showing
from aistrale_lab.cli.output import emit_json
from aistrale_lab.cli.show import find_experiment
from aistrale_lab.cli.showing import check_named, open_lab
from aistrale_lab.report import check_suffix, write_report
from aistrale_lab.terminal import note


def report(which: str, file: Path, showing: Showing, *, title: str) -> Exit:
    """Write the report; nothing is read for a file that could not be one."""
    check_suffix(file)
    check_named(which)
    with open_lab(showing) as lab:
        written = write_report(find_experiment(lab, which), file, title=title)
    if showing.json:
        emit_json({"file": str(file), "bytes": written})
    elif not showing.quiet:
        note(f"the report is written to {file}: {written / 1_000:,.0f} kB")
    return Exit.DONE
