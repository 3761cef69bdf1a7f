"""The cell that does what the run panel does, without a widget."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from aistrale_lab.domain.chat import Message
from aistrale_lab.domain.tasks import Task
from aistrale_lab.widgets.run_form import RunForm

DEFAULTS = {"concurrency": 16, "budget": None}

Arguments = list[tuple[str, Any]]
"""Names and values of a call; positional ones have no name."""

LINE = 88
"""The longest line that is kept whole."""


def as_code(
    form: RunForm, task: Task, options: Mapping[str, Any], *, store: str
) -> str:
    """Python for a notebook cell: the same task, models and options, and no key."""
    given = {n: v for n, v in options.items() if DEFAULTS.get(n, ...) != v}
    run: Arguments = [("", _Code("task")), ("models", list(form.models))]
    run += [("name", form.name)] if form.name else []
    run += [("fresh", True)] if form.fresh else []
    run += [(name, _plain(value)) for name, value in given.items()]
    return "\n".join(
        [
            "import aistrale_lab as lab",
            "",
            f"bench = lab.Lab.open({store!r})",
            _questions(form, task),
            _call("task = lab.Task", _task_arguments(task)),
            _call("experiment = await bench.run", run),
            "experiment",
        ]
    )


def _questions(form: RunForm, task: Task) -> str:
    if task.dataset.source is None:
        return (
            f"# questions = the dataset {task.dataset.name!r}, which you made yourself"
        )
    arguments: Arguments = [("", form.dataset.strip())]
    arguments += form.dataset_options().items()
    return _call("questions = lab.load_dataset", arguments)


def _task_arguments(task: Task) -> Arguments:
    """The fields of the task that are not as they would be anyway."""
    plain = task.prompt.system is None and not task.prompt.shots
    prompt: Any = task.prompt.user if plain else _Code(repr_template(task))
    found: Arguments = [("dataset", _Code("questions")), ("prompt", prompt)]
    settings = task.config.model_dump(exclude_defaults=True)
    if settings:
        made = ", ".join(f"{name}={value!r}" for name, value in settings.items())
        found.append(("config", _Code(f"lab.GenerateConfig({made})")))
    if task.sweep:
        found.append(("sweep", {name: list(v) for name, v in task.sweep.items()}))
    if task.scorers:
        found.append(("scorers", list(task.scorers)))
    if task.epochs > 1:
        found.append(("epochs", task.epochs))
    if task.name != task.dataset.name:
        found.append(("name", task.name))
    return found


def repr_template(task: Task) -> str:
    """The prompt as an expression."""
    parts = [f"user={task.prompt.user!r}"]
    if task.prompt.system is not None:
        parts.append(f"system={task.prompt.system!r}")
    if task.prompt.shots:
        shots = ", ".join(map(_message, task.prompt.shots))
        parts.append(f"shots=({shots},)")
    return f"lab.PromptTemplate({', '.join(parts)})"


def _message(message: Message) -> str:
    said = (f"{name}={value!r}" for name, value in message.model_dump().items())
    return f"lab.Message({', '.join(said)})"


class _Code(str):
    """Text that stands in the code as it is."""

    def __repr__(self) -> str:
        return str(self)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value


def _call(function: str, arguments: Arguments) -> str:
    """A call on one line if it fits, else with one argument a line."""
    shown = [(f"{name}=" if name else "") + repr(value) for name, value in arguments]
    line = f"{function}({', '.join(shown)})"
    if len(line) <= LINE and "\n" not in line:
        return line
    return "\n".join([f"{function}(", *(f"    {one}," for one in shown), ")"])
