"""`plan`: what a run would take and could show, and how wrong such a forecast was."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aistrale_lab.analysis import figures
from aistrale_lab.analysis.tables import Column
from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.options import Showing
from aistrale_lab.cli.output import emit, emit_json
from aistrale_lab.cli.run import Asked, make_task
from aistrale_lab.cli.showing import check_named, open_lab, show_columns
from aistrale_lab.lab.words import given
from aistrale_lab.logs import visible
from aistrale_lab.terminal import note

if TYPE_CHECKING:
    from aistrale_lab.analysis.forecast import PowerForecast, Range
    from aistrale_lab.lab.forecasting import Plan


def plan(asked: Asked, showing: Showing, **options: Any) -> Exit:
    """Forecast a run; nothing is sent."""
    task = make_task(asked)
    with open_lab(showing) as lab:
        found = lab.plan(task, list(asked.models), **given(**options))
    if showing.json:
        emit_json(asdict(found))
        return Exit.DONE
    show_columns(_columns(found))
    emit(f"\n{_power(found.power)}\n")
    if not showing.quiet and found.pilot is None:
        note(
            "without a pilot, tokens are guessed from characters: run a few samples "
            "with --limit and name them with --pilot RUN"
        )
    return Exit.DONE


def score(which: str, showing: Showing) -> Exit:
    """Hold a forecast from assumptions against what a run has taken."""
    check_named(which)
    with open_lab(showing) as lab:
        found = lab.score_plan(which)
    if showing.json:
        emit_json([asdict(one) | {"inside": one.inside} for one in found])
        return Exit.DONE
    digits = [_digits(one.name) for one in found]
    show_columns(
        [
            Column("", [one.name for one in found], numeric=False),
            Column("forecast", [_range(o.forecast, d) for o, d in zip(found, digits)]),
            Column("actual", [_number(o.actual, d) for o, d in zip(found, digits)]),
            Column("inside", [_yes(one.inside) for one in found], numeric=False),
        ]
    )
    return Exit.DONE


def _columns(found: "Plan") -> list[Column]:
    lanes = found.lanes
    return [
        Column("model", [visible(lane.model) for lane in lanes], numeric=False),
        Column("calls", [figures.count(lane.calls) for lane in lanes]),
        Column("tokens in", [_range(lane.input_tokens, 0) for lane in lanes]),
        Column("tokens out", [_range(lane.output_tokens, 0) for lane in lanes]),
        Column("cost $", [_range(lane.cost_usd, 4) for lane in lanes]),
        Column("time", [_times(lane.seconds) for lane in lanes]),
    ]


def _power(power: "PowerForecast") -> str:
    """What a comparison can show, in words."""
    told = f"{power.pairs:,} samples"
    if power.detectable is None:
        first = f"{told} are too few to tell any two models apart"
    else:
        first = (
            f"{told} show a difference of {100 * power.detectable:.1f} points "
            f"{power.power:.0%} of the time"
        )
    first += f", if two models differ on {power.discordance:.0%} of them"
    if power.effect is None or power.needed is None:
        return first
    return f"{first}; {100 * power.effect:.1f} points need {power.needed:,}"


def _range(found: "Range", digits: int) -> str:
    """`low to high`, or as much of it as is known."""
    if found.low is None and found.high is None:
        return figures.UNKNOWN
    if found.low is not None and found.low == found.high:
        return _number(found.low, digits)
    ends: Sequence[float | None] = (found.low, found.high)
    return " to ".join(_number(end, digits) for end in ends)


def _times(found: "Range") -> str:
    if found.low is None and found.high is None:
        return figures.UNKNOWN
    ends = [
        figures.UNKNOWN if end is None else figures.span(end)
        for end in (found.low, found.high)
    ]
    return " to ".join(dict.fromkeys(ends))


def _number(value: float | None, digits: int) -> str:
    return figures.UNKNOWN if value is None else f"{value:,.{digits}f}"


def _digits(name: str) -> int:
    return 4 if name == "cost_usd" else 0


def _yes(inside: bool | None) -> str:
    if inside is None:
        return figures.UNKNOWN
    return "yes" if inside else "no"
