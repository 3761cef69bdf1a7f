"""The run panel's form: what the person typed, and the task that it means."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aistrale_lab.domain.chat import Message
from aistrale_lab.domain.tasks import Dataset, PromptTemplate, Task
from aistrale_lab.domain.values import Value
from aistrale_lab.engine.datasets import load_dataset
from aistrale_lab.errors import ConfigError, ValidationError, one_of
from aistrale_lab.lab.options import RunOptions
from aistrale_lab.lab.words import parse_params, settings_of, words_of

COLUMNS = ("input", "target", "id", "group", "where", "sample", "seed")
"""What may be said of a foreign file, one `KEY=VALUE` a line; see `load_dataset`."""

_NUMBERS = {"sample", "seed"}


class RunForm(Value):
    """The fields as texts, just as they were typed; empty: the default."""

    dataset: str = ""
    limit: str = ""
    columns: str = ""
    models: tuple[str, ...] = ()
    prompt: str = "{{ input }}"
    system: str = ""
    params: str = ""
    scorers: tuple[str, ...] = ()
    epochs: str = "1"
    concurrency: str = "16"
    budget: str = ""
    name: str = ""
    fresh: bool = False

    def edited(self, **fields: Any) -> "RunForm":
        """The form with fields changed; raises ValidationError for unknown ones."""
        unknown = set(fields) - set(RunForm.model_fields)
        if unknown:
            raise ValidationError(
                f"unknown field {one_of(unknown)}; fields: {one_of(RunForm.model_fields)}"
            )
        return RunForm.model_validate({**self.model_dump(), **fields})

    def dataset_options(self) -> dict[str, Any]:
        """What `load_dataset` is told besides the path; raises ConfigError."""
        found: dict[str, Any] = {}
        for line in filter(str.strip, self.columns.splitlines()):
            name, equals, value = (part.strip() for part in line.partition("="))
            if not (equals and value) or name not in COLUMNS:
                raise ConfigError(
                    f"columns: {line.strip()!r} is not of the form KEY=VALUE with one "
                    f"of the keys {', '.join(COLUMNS)}"
                )
            found[name] = _whole(value, name) if name in _NUMBERS else value
        limit = _whole(self.limit, "limit")
        return found if limit is None else {**found, "limit": limit}

    def load_dataset(self) -> Dataset:
        """The prompt set that is named; raises DatasetError or ConfigError."""
        if not self.dataset.strip():
            raise ConfigError("choose a dataset: a file of prompts")
        return load_dataset(Path(self.dataset.strip()), **self.dataset_options())

    def template(self, shots: tuple[Message, ...] = ()) -> PromptTemplate:
        """The prompt as it stands in the form, with the turns that were given before."""
        return PromptTemplate(
            user=self.prompt, system=self.system.strip() or None, shots=shots
        )

    def make_task(self, dataset: Dataset, shots: tuple[Message, ...] = ()) -> Task:
        """The task over a dataset; raises ConfigError for what cannot be meant."""
        lines = list(filter(str.strip, self.params.splitlines()))
        config, sweep = settings_of(parse_params(lines, option="parameter"))
        return Task(
            dataset=dataset,
            prompt=self.template(shots),
            config=config,
            sweep=sweep,
            scorers=self.scorers,
            epochs=_whole(self.epochs, "epochs") or 1,
        )

    def options(self, others: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of `RunOptions`, over `others`; raises ValidationError."""
        asked = {"concurrency": self.concurrency, "budget": self.budget}
        typed = {name: text.strip() for name, text in asked.items() if text.strip()}
        chosen = RunOptions.of({**others, **typed})
        return {**others, **{name: getattr(chosen, name) for name in typed}}


def fill_form(
    task: Task | None,
    models: tuple[str, ...],
    *,
    name: str | None,
    fresh: bool,
    options: Mapping[str, Any],
) -> RunForm:
    """The form that means this task; raises ValidationError for unknown options."""
    chosen = RunOptions.of(dict(options))
    form = RunForm(
        models=models,
        name=name or "",
        fresh=fresh,
        concurrency=str(chosen.concurrency),
        budget="" if chosen.budget is None else str(chosen.budget),
    )
    if task is None:
        return form
    return form.edited(
        **_source_fields(task.dataset),
        prompt=task.prompt.user,
        system=task.prompt.system or "",
        params="\n".join(words_of(task.config, task.sweep)),
        scorers=task.scorers,
        epochs=str(task.epochs),
        name=name or ("" if task.name == task.dataset.name else task.name),
    )


def _source_fields(dataset: Dataset) -> dict[str, str]:
    """Where a dataset came from, in the fields of the form."""
    if dataset.source is None:
        return {"dataset": dataset.name}
    source = dict(dataset.source)
    known = {name: source.get(name) for name in COLUMNS}
    if source.get("sample") is None:
        known.pop("seed")
    return {
        "dataset": short_path(source["path"]),
        "limit": "" if source.get("limit") is None else str(source["limit"]),
        "columns": "\n".join(f"{n}={v}" for n, v in known.items() if v is not None),
    }


def short_path(path: str) -> str:
    """The path from the working folder, if that is shorter."""
    try:
        return min(os.path.relpath(path), path, key=len)
    except ValueError:  # another drive
        return path


def _whole(text: str, name: str) -> int | None:
    """A whole number from 1 on, or None for an empty field."""
    text = text.strip()
    if not text:
        return None
    if not text.isdecimal() or (int(text) < 1 and name != "seed"):
        raise ConfigError(f"{name}: {text!r} is not a whole number from 1 on")
    return int(text)
