"""`run`, `resume` and `demo`: start, watch, report."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aistrale_lab.cli.exits import Exit, complain, explain
from aistrale_lab.cli.interrupt import Interrupts
from aistrale_lab.cli.ending import report
from aistrale_lab.cli.options import Showing
from aistrale_lab.cli.showing import check_named, open_lab
from aistrale_lab.domain.tasks import PromptTemplate, Task
from aistrale_lab.engine.datasets import load_dataset
from aistrale_lab.errors import LabError
from aistrale_lab.lab.bench import Lab
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.lab.progress import make_display
from aistrale_lab.lab.words import (
    given,
    parse_params,
    parse_tags,
    read_text,
    settings_of,
)

FRAME = 0.25
"""Seconds between two looks at the progress."""

Start = Callable[[Lab], RunHandle[Experiment]]
"""Starts what is to be watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What `run` asks, in the words of the command line."""

    dataset: str
    models: Sequence[str]
    prompt: str = "{{ input }}"
    system: str | None = None
    scorers: Sequence[str] = ()
    epochs: int = 1
    limit: int | None = None
    params: Sequence[str] = ()
    fields: dict[str, str | None] = field(default_factory=dict)
    name: str | None = None
    tags: Sequence[str] = ()


def run(asked: Asked, showing: Showing, **options: Any) -> Exit:
    """Run a prompt set across models; always a new experiment."""
    task = make_task(asked)
    tags = parse_tags(asked.tags)
    return conduct(
        lambda lab: lab.start(
            task,
            models=list(asked.models),
            name=asked.name,
            tags=tags,
            fresh=True,
            **given(**options),
        ),
        showing,
    )


def resume(which: str, showing: Showing, *, failed: bool, **options: Any) -> Exit:
    """Send what is missing of an experiment, or of one of its runs."""
    check_named(which)
    return conduct(
        lambda lab: lab.start_resume(which, failed=failed, **given(**options)),
        showing,
        which=which,
    )


def make_task(asked: Asked) -> Task:
    """The task, with everything read that the words point to."""
    config, sweep = settings_of(parse_params(asked.params))
    prompt = PromptTemplate(
        user=read_text(asked.prompt, option="--prompt"),
        system=asked.system and read_text(asked.system, option="--system"),
    )
    return Task(
        dataset=load_dataset(
            Path(asked.dataset), limit=asked.limit, **given(**asked.fields)
        ),
        prompt=prompt,
        config=config,
        scorers=tuple(asked.scorers),
        epochs=asked.epochs,
        sweep=sweep,
    )


def conduct(start: Start, showing: Showing, *, which: str | None = None) -> Exit:
    """Start, watch until the end or a signal, and report; returns the exit code."""
    with Interrupts() as interrupts, open_lab(showing) as lab:
        handle = start(lab)
        interrupts.watch(handle)
        fault = follow(handle, interrupts, quiet=showing.quiet)
        interrupts.calm()
        if fault is not None:
            complain(explain(fault))
        return report(
            lab,
            handle,
            showing,
            fault=fault,
            signalled=interrupts.code,
            which=which or handle.experiment_id,
        )


def follow(
    handle: RunHandle[Any], interrupts: Interrupts, *, quiet: bool
) -> LabError | OSError | None:
    """Show the progress until the run has ended; returns what broke it, if it broke."""
    display = make_display(handle.lanes, quiet=quiet)
    said = False
    try:
        while not handle.done():
            with contextlib.suppress(TimeoutError):
                handle.wait(FRAME)
            display.update()
            if interrupts.code and not said:
                said = True
                display.say("stopping: what is done is kept; once more to stop now")
        handle.wait()
    except asyncio.CancelledError:
        return None
    except (LabError, OSError) as error:
        return error
    finally:
        display.close()
    return None
