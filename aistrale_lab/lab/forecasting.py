"""What an experiment will take, said before anything is sent, and checked afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aistrale_lab.domain.tasks import Task
from aistrale_lab.engine.prompts import compile_prompt
from aistrale_lab.lab.options import RunOptions, stricter
from aistrale_lab.lab.plan import LanePlan
from aistrale_lab.pricing import Price
from aistrale_lab.store.records import RunRecord
from aistrale_lab.store.results import Store

if TYPE_CHECKING:
    import pandas as pd

    from aistrale_lab.analysis.forecast import (
        Asked,
        LaneForecast,
        PowerForecast,
        Range,
    )


@dataclass(frozen=True, slots=True)
class Basis:
    """What a forecast stands on, and the difference that is to be shown."""

    pilot: str | None = None
    effect: float | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The forecast of every lane, and what the comparison can show.

    `pilot` is the experiment whose answers it stands on; None: on assumptions.
    """

    lanes: tuple["LaneForecast", ...]
    power: "PowerForecast"
    pilot: str | None


@dataclass(frozen=True, slots=True)
class Scored:
    """One forecast beside what came: `inside` is None where one of them is unknown."""

    name: str
    forecast: "Range"
    actual: float | None

    @property
    def inside(self) -> bool | None:
        """Whether the range contains it."""
        return self.forecast.holds(self.actual)


def make_plan(
    store: Store,
    task: Task,
    plans: Sequence[LanePlan],
    options: RunOptions,
    basis: Basis,
) -> Plan:
    """Forecast lanes that are planned, without sending anything.

    A pilot's answers count for its own models; the others stand on assumptions. Raises
    NotFoundError for an unknown pilot.
    """
    from aistrale_lab.analysis.forecast import forecast_lane, forecast_power

    sizes = _sizes(task)
    pilots = _pilots(store, basis.pilot) if basis.pilot else {}
    lanes = []
    for plan in plans:
        asked = _asked(
            task,
            sizes,
            str(plan.spec.model),
            plan.price,
            max_tokens=plan.spec.config.max_tokens,
            options=options,
            output_tokens=basis.output_tokens,
            rpm=stricter(options.rpm, plan.endpoint.rpm),
            tpm=stricter(options.tpm, plan.endpoint.tpm),
        )
        lanes.append(forecast_lane(asked, pilots.get(asked.model)))
    power = forecast_power(
        len(task.dataset), discordance=_discordance(pilots), effect=basis.effect
    )
    return Plan(tuple(lanes), power, basis.pilot)


def plan_of(told: Mapping[str, Any]) -> Plan:
    """A plan from its fields, as JSON has them."""
    from aistrale_lab.analysis.forecast import LaneForecast, PowerForecast, Range

    ranges = ("input_tokens", "output_tokens", "cost_usd", "seconds")
    lanes = [
        LaneForecast(
            lane["model"], lane["calls"], *(Range(**lane[name]) for name in ranges)
        )
        for lane in told["lanes"]
    ]
    return Plan(tuple(lanes), PowerForecast(**told["power"]), told["pilot"])


def score_forecast(store: Store, run: RunRecord) -> list[Scored]:
    """How wrong the forecast from assumptions was, for a run that has ended.

    It is made again from the stored task, as it was before the first call; `calls` are
    those that have a row.
    """
    from aistrale_lab.analysis.forecast import forecast_lane
    from aistrale_lab.analysis.frames import results_df

    task = store.load_task(run.experiment_id)
    columns = ("input_tokens", "output_tokens", "cost_usd", "error_type")
    results = results_df(store, [run.id], columns)
    asked = _asked(
        task,
        _sizes(task),
        run.model,
        Price.model_validate(run.price) if run.price else None,
        max_tokens=run.config.get("max_tokens"),
        options=RunOptions(),
    )
    found = forecast_lane(asked)
    sums = {
        name: results[name].astype("float64").sum(min_count=1) for name in columns[:3]
    }
    actual = {
        name: None if total != total else float(total) for name, total in sums.items()
    }
    return [Scored(name, getattr(found, name), actual[name]) for name in columns[:3]]


def _sizes(task: Task) -> tuple[list[int], list[int]]:
    """Characters and messages of each sample's prompt."""
    render = compile_prompt(task.prompt).render
    prompts = [render(sample) for sample in task.dataset]
    characters = [
        sum(len(str(turn.content)) + len(turn.besides) for turn in turns)
        for turns in prompts
    ]
    return characters, [len(turns) for turns in prompts]


def _asked(
    task: Task,
    sizes: tuple[list[int], list[int]],
    model: str,
    price: Price | None,
    *,
    max_tokens: int | None,
    options: RunOptions,
    output_tokens: int | None = None,
    rpm: int | None = None,
    tpm: int | None = None,
) -> "Asked":
    from aistrale_lab.analysis.forecast import Asked

    return Asked(
        model=model,
        characters=sizes[0],
        messages=sizes[1],
        epochs=task.epochs,
        price=price.of if price else None,
        concurrency=options.concurrency,
        output_tokens=output_tokens,
        max_tokens=max_tokens,
        rpm=rpm,
        tpm=tpm,
    )


def _pilots(store: Store, which: str) -> dict[str, "pd.DataFrame"]:
    """The results of each model of a pilot."""
    from aistrale_lab.analysis.frames import results_df

    runs = store.runs_matching(which)
    return {run.model: results_df(store, [run.id]) for run in runs}


def _discordance(pilots: "Mapping[str, pd.DataFrame]") -> float | None:
    from aistrale_lab.analysis.columns import SCORE
    from aistrale_lab.analysis.forecast import discordance_of

    scores = {}
    for model, results in pilots.items():
        names = [str(name) for name in results if str(name).startswith(SCORE)]
        if names:
            scores[model] = results.set_index(["sample_id", "epoch"])[names[0]]
    return discordance_of(scores)
