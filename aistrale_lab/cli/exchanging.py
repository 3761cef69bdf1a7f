"""`push` and `pull`: experiments from one store to another."""

from collections.abc import Sequence

from aistrale_lab.analysis import figures
from aistrale_lab.analysis.tables import Column
from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.options import Showing
from aistrale_lab.cli.output import emit_json
from aistrale_lab.cli.showing import check_named, open_lab, show_columns
from aistrale_lab.errors import ConfigError
from aistrale_lab.lab.exchanging import Carried, shown
from aistrale_lab.logs import visible
from aistrale_lab.store.merging import Merged
from aistrale_lab.terminal import note


def push(which: Sequence[str], to: str, showing: Showing) -> Exit:
    """Put experiments of the store into another one."""
    _check(which, to, "--to")
    with open_lab(showing) as lab:
        carried = lab.push(to, *which)
        told = {"from": lab.store_url, "to": shown(to)}
    _show(carried, told, showing)
    return Exit.DONE


def pull(which: Sequence[str], source: str, showing: Showing) -> Exit:
    """Fetch experiments of another store into this one."""
    _check(which, source, "--from")
    with open_lab(showing) as lab:
        carried = lab.pull(source, *which)
        told = {"from": shown(source), "to": lab.store_url}
    _show(carried, told, showing)
    return Exit.DONE


def _check(which: Sequence[str], url: str, option: str) -> None:
    if not url.strip():
        raise ConfigError(f"{option} is empty; for example {option} sqlite:///team.db")
    for one in which:
        check_named(one)


def _show(carried: Sequence[Carried], told: dict[str, str], showing: Showing) -> None:
    """What was new, experiment by experiment."""
    total = sum((one.merged for one in carried), Merged())
    if showing.json:
        each = [
            {"experiment_id": one.experiment_id, "name": one.name, **_counts(one)}
            for one in carried
        ]
        emit_json({**told, "inserted": total.inserted, "experiments": each})
    elif carried:
        show_columns(_columns(carried))
    if not showing.quiet:
        note(
            f"{figures.count(len(carried))} experiments, "
            f"{figures.count(total.inserted)} rows inserted in {told['to']}"
        )


def _columns(carried: Sequence[Carried]) -> list[Column]:
    ids = Column("experiment", [one.experiment_id for one in carried], numeric=False)
    names = Column("name", [visible(one.name) for one in carried], numeric=False)
    counts = [
        Column(name, [figures.count(getattr(one.merged, name)) for one in carried])
        for name in ("runs", "results", "replaced", "attempts", "scores")
    ]
    return [ids, names, *counts]


def _counts(one: Carried) -> dict[str, int]:
    return {**one.merged.model_dump(), "inserted": one.merged.inserted}
