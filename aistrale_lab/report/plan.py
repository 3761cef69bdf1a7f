"""What was asked, and where the answers come from."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Any

import pandas as pd

from aistrale_lab.analysis import figures
from aistrale_lab.analysis.tables import Column
from aistrale_lab.report.description import Facts, Line, Passage, Section
from aistrale_lab.report.grids import grid
from aistrale_lab.report.material import Material
from aistrale_lab.report.texts import NAME, PROMPT, left_out, many, name, shown
from aistrale_lab.store.records import DatasetRecord, RunRecord

TURNS = 6
"""Few-shot turns that are shown."""

SOURCES = 3
"""Models that are named as those which answered a run."""


def plan_section(material: Material) -> Section:
    """The task: dataset, prompt, settings, scorers, epochs."""
    task = material.record.task
    return Section(
        "plan",
        "What was asked",
        [
            Facts(_task_facts(material, task)),
            *_prompt_passages(task["prompt"]),
        ],
    )


def provenance_section(material: Material) -> Section:
    """Where the runs come from; persons and machines are not named."""
    record = material.record
    told = record.provenance
    packages = [f"{n} {v}" for n, v in (told.get("packages") or {}).items() if v]
    known = {
        "experiment": f"{record.id} ({name(record.name)})",
        "created at, UTC": moment(record.created_at),
        "code": _code(told),
        "Python": told.get("python"),
        "platform": told.get("platform"),
        "packages": ", ".join(packages) or None,
        "tags": listed(record.tags),
    }
    columns = _run_columns(material.runs, material)
    runs = grid(columns, links=material.run_links)
    return Section("provenance", "Provenance", [Facts(facts(known)), runs])


def facts(known: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values, without those that are not known."""
    return [
        (title, shown(value))
        for title, value in known.items()
        if value not in (None, "")
    ]


def listed(settings: Mapping[str, Any]) -> str | None:
    """Settings in a line; None if there are none."""
    told = (f"{key} = {_value(value)}" for key, value in settings.items())
    return ", ".join(told) or None


def moment(time: datetime | None) -> str:
    """A moment in UTC, to the minute."""
    return figures.UNKNOWN if time is None else f"{time:%Y-%m-%d %H:%M}"


def _task_facts(material: Material, task: Mapping[str, Any]) -> list[tuple[str, str]]:
    dataset = material.dataset
    swept = task["sweep"] or _swept(material.runs)
    settings = {
        key: value
        for key, value in task["config"].items()
        if value not in (None, {}, []) and key not in swept
    }
    known = {
        "dataset": f"{name(dataset.name)}, {many(dataset.samples, 'sample')}",
        "loaded from": _source(dataset),
        "fingerprint": dataset.fingerprint,
        "models": ", ".join(dict.fromkeys(run.model for run in material.runs)),
        "settings": listed(settings) or "those of each provider",
        "swept": listed(swept),
        "scorers": ", ".join(map(name, task["scorers"])) or "none",
        "scored later": ", ".join(_later(material)),
        "epochs": figures.count(task["epochs"]),
    }
    return facts(known)


def _swept(runs: Sequence[RunRecord]) -> dict[str, list[Any]]:
    """What the points of a batch were asked with, each in its own run."""
    found: dict[str, list[Any]] = {}
    for run in runs:
        for key, value in run.params.items():
            values = found.setdefault(key, [])
            if value not in values:
                values.append(value)
    return found


def _later(material: Material) -> list[str]:
    planned = material.experiment.scorers
    return [name(metric) for metric in material.metrics if metric not in planned]


def _source(dataset: DatasetRecord) -> str | None:
    """The file's name, not where it lay, and how it was read."""
    source = dict(dataset.source or {})
    if not source.get("path"):
        return None
    path = PurePath(str(source.pop("path"))).name
    source.pop("name", None)
    how = listed({k: v for k, v in source.items() if v not in (None, {}, [], False)})
    return f"{path} ({how})" if how else path


def _prompt_passages(prompt: Mapping[str, Any]) -> list[Passage | Line]:
    turns = list(prompt.get("shots") or ())
    texts = [("system prompt", prompt.get("system"))]
    texts += [(f"example: {turn['role']}", _said(turn)) for turn in turns[:TURNS]]
    texts.append(("prompt", prompt.get("user")))
    blocks: list[Passage | Line] = [
        _passage(label, text) for label, text in texts if text is not None
    ]
    if len(turns) > TURNS:
        blocks.append(
            Line(f"{many(len(turns) - TURNS, 'more turn')} of examples", "muted")
        )
    return blocks


def _said(turn: Mapping[str, Any]) -> Any:
    content = turn["content"]
    return turn.get("tool_calls") if content is None else content


def _passage(label: str, text: Any) -> Passage:
    words = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    return Passage(name(label), shown(words, PROMPT), left_out(words, PROMPT))


def _value(value: Any) -> str:
    words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown(words, NAME)


def _code(told: Mapping[str, Any]) -> str | None:
    commit = told.get("git_commit")
    if not commit:
        return None
    return (
        f"git {commit}{', with uncommitted changes' if told.get('git_dirty') else ''}"
    )


def _run_columns(runs: Sequence[RunRecord], material: Material) -> list[Column]:
    answered = material.results[["run_id", "response_model"]].dropna()
    by_run = answered.groupby("run_id", observed=True)["response_model"]
    sources = by_run.unique().to_dict()
    return [
        Column("run", [run.id for run in runs], numeric=False),
        Column("model", [material.names[run.id] for run in runs], numeric=False),
        Column("answered by", [_sources(sources, run.id) for run in runs], False),
        Column(
            "endpoint", [name(run.base_url or figures.UNKNOWN) for run in runs], False
        ),
        Column("status", [run.status.value for run in runs], numeric=False),
        Column("started\nUTC", [moment(run.started_at) for run in runs], False),
        Column("ended\nUTC", [moment(run.finished_at) for run in runs], False),
    ]


def _sources(sources: Mapping[Any, Any], run_id: str) -> str:
    found = sorted(str(one) for one in sources.get(run_id, ()) if not pd.isna(one))
    more = f" and {len(found) - SOURCES:,} more" if len(found) > SOURCES else ""
    return ", ".join(map(name, found[:SOURCES])) + more if found else figures.UNKNOWN
