"""What is asked: samples, datasets, prompt templates, tasks and models."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from aistrale_lab.domain import rich
from aistrale_lab.domain.chat import GenerateConfig, Message
from aistrale_lab.domain.values import Value, fingerprint
from aistrale_lab.errors import DatasetError, ValidationError

SHOWN = 5
"""Samples that a dataset shows of itself."""

_MODEL_NAME = re.compile(r"^[\w.\-:@/#]{1,200}$")


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Sample:
    """One prompt with its expected answer; `group` clusters what belongs together.

    A dataclass and no `Value`: with slots it takes a third of the memory, and a
    prompt set holds many thousands.
    """

    id: str
    input: str | tuple[Message, ...]
    target: str | None = None
    metadata: Mapping[str, Any] | None = None
    group: str | None = None

    def require_target(self) -> str:
        """The target; raises DatasetError on a sample without one."""
        if self.target is None:
            raise DatasetError(f"sample {self.id!r} has no target")
        return self.target

    @property
    def input_text(self) -> str:
        """The input as text: of a conversation, its last user turn."""
        if isinstance(self.input, str):
            return self.input
        turns = [m for m in self.input if m.role == "user"] or list(self.input)
        return turns[-1].text

    def content(self) -> dict[str, Any]:
        """All fields as plain JSON values, for storing and for the fingerprint."""
        conversation = None
        if not isinstance(self.input, str):
            conversation = [m.model_dump() for m in self.input]
        return {
            "id": self.id,
            "input": self.input if conversation is None else conversation,
            "target": self.target,
            "metadata": dict(self.metadata) if self.metadata else None,
            "group": self.group,
        }


class Dataset(Value):
    """A named list of samples: a prompt set.

    `fingerprint` depends on the samples alone: same content in the same order,
    same fingerprint, whatever the file's name or format. `source` tells how it was
    loaded (path and options), so that a resume can see whether the file changed.
    """

    name: str
    samples: tuple[Sample, ...]
    fingerprint: str = ""
    source: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _seal(self) -> "Dataset":
        if not self.samples:
            raise DatasetError(f"dataset {self.name!r} holds no samples")
        _refuse_duplicates(self)
        if not self.fingerprint:
            print_of_all = fingerprint([s.content() for s in self.samples])
            object.__setattr__(self, "fingerprint", print_of_all)
        return self

    def _repr_html_(self) -> str:
        """What it holds, and its first samples; all text escaped."""
        groups = {sample.group for sample in self.samples} - {None}
        targets = sum(sample.target is not None for sample in self.samples)
        known = [("samples", f"{len(self.samples):,}"), ("with target", f"{targets:,}")]
        known += [("groups", f"{len(groups):,}")] if groups else []
        known.append(("fingerprint", self.fingerprint[:12]))
        first = [[s.id, s.input_text, s.target] for s in self.samples[:SHOWN]]
        caption = f"the first {len(first)}" if len(first) < len(self.samples) else ""
        table = rich.table(["id", "input", "target"], first, caption=caption)
        return f"{rich.facts(f'Dataset {self.name}', known)}\n{table}"

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:  # type: ignore[override]
        return iter(self.samples)  # a dataset is its samples, not its fields

    def __getitem__(self, position: int) -> Sample:
        return self.samples[position]


class PromptTemplate(Value):
    """How a sample becomes messages: system text, few-shot turns, the user's turn.

    Each text is a Jinja2 template over `input`, `target`-free fields of the sample:
    `input`, `id`, `group` and every metadata key. `shots` are turns that are sent
    before the question. With no `user` template a conversation is sent as it is.
    """

    user: str = "{{ input }}"
    system: str | None = None
    shots: tuple[Message, ...] = ()

    @classmethod
    def of(cls, prompt: "str | PromptTemplate") -> "PromptTemplate":
        """A template from a user turn's text, or the template itself."""
        return prompt if isinstance(prompt, cls) else cls(user=str(prompt))


class ModelRef(Value):
    """Whom we ask: `provider/model`, split at the first slash."""

    provider: str
    model: str

    @classmethod
    def parse(cls, text: str) -> "ModelRef":
        """From `provider/model`; raises ValidationError if it is not of that form."""
        provider, slash, model = text.partition("/")
        if not (slash and provider and model):
            raise ValidationError(
                f"model {text!r} is not of the form provider/model, "
                "such as openai/gpt-5-mini or embedded/nearest"
            )
        if provider != "replay":
            _check_model_name(model)
        return cls(provider=provider, model=model)

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class Task(Value):
    """Dataset, template, settings and scorers: everything but the models.

    `scorers` are names as on the command line (`NAME`, `NAME:ARG`, or
    `ALIAS=NAME:ARG`). `sweep` maps a `GenerateConfig` field to the values to try.
    """

    dataset: Dataset
    prompt: PromptTemplate = PromptTemplate()
    config: GenerateConfig = GenerateConfig()
    scorers: tuple[str, ...] = ()
    epochs: int = Field(default=1, ge=1)
    sweep: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    name: str = ""

    @field_validator("prompt", mode="before")
    @classmethod
    def _text_is_a_user_turn(cls, value: Any) -> Any:
        return PromptTemplate(user=value) if isinstance(value, str) else value

    @field_validator("scorers", mode="before")
    @classmethod
    def _one_scorer_is_a_list_of_one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _takes_its_name_from_the_dataset(self) -> "Task":
        if not self.name:
            object.__setattr__(self, "name", self.dataset.name)
        return self

    def _repr_html_(self) -> str:
        """What is asked of every model, and how it is judged; all text escaped."""
        settings = self.config.model_dump(mode="json", exclude_defaults=True)
        points = prod(len(values) for values in self.sweep.values())
        calls = len(self.dataset) * self.epochs * points
        known = [
            ("dataset", f"{self.dataset.name}, {len(self.dataset):,} samples"),
            ("system", self.prompt.system),
            ("shots", len(self.prompt.shots) or None),
            ("prompt", self.prompt.user),
            ("settings", _listed(settings)),
            ("sweep", _listed({name: [*v] for name, v in self.sweep.items()})),
            ("scorers", ", ".join(self.scorers) or "none: answers are only kept"),
            ("epochs", self.epochs),
            ("calls for each model", f"{calls:,}"),
        ]
        facts = [(name, value) for name, value in known if value is not None]
        return rich.facts(f"Task {self.name}", facts)

    def parts(self) -> dict[str, Any]:
        """What identifies the task, part by part: what changed can be named."""
        return {
            "dataset": self.dataset.fingerprint,
            "prompt": self.prompt.model_dump(mode="json"),
            "config": self.config.model_dump(mode="json", exclude_none=True),
            "scorers": list(self.scorers),
            "epochs": self.epochs,
            "sweep": {name: list(values) for name, values in self.sweep.items()},
        }

    @property
    def fingerprint(self) -> str:
        """Equal for tasks that ask the same and score the same."""
        return fingerprint(self.parts())


def _listed(settings: Mapping[str, Any]) -> str | None:
    return ", ".join(f"{name}={value}" for name, value in settings.items()) or None


def _refuse_duplicates(dataset: Dataset) -> None:
    twice = {
        name for name, n in Counter(s.id for s in dataset.samples).items() if n > 1
    }
    if twice:
        shown = ", ".join(repr(name) for name in sorted(twice)[:5])
        raise DatasetError(f"dataset {dataset.name!r} has duplicate ids: {shown}")


def _check_model_name(model: str) -> None:
    broken = not _MODEL_NAME.match(model)
    if broken or "://" in model or ".." in model or model.startswith("/"):
        raise ValidationError(
            f"model name {model!r} is not allowed: letters, digits and . _ - : @ / # "
            "up to 200, no '://', no '..', no leading '/'"
        )
