"""From a sample to messages: templates in a sandbox, checked before any call."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError, UndefinedError
from jinja2.exceptions import SecurityError

from aistrale_lab.domain.chat import Message
from aistrale_lab.domain.tasks import Dataset, PromptTemplate, Sample
from aistrale_lab.engine.sandbox import Sandbox
from aistrale_lab.errors import PromptError, one_of

PLAIN = "{{ input }}"
"""The template that sends the input as it is."""

FIELDS = ("group", "id", "input")
"""What a template may name besides a sample's metadata."""

RenderText = Callable[[Sample], str]
"""Makes one text of a sample."""


class CompiledPrompt:
    """A template that is ready to render; it may be used by one thread at a time."""

    def __init__(self, template: PromptTemplate) -> None:
        self._template = template
        self._system = (
            _text_maker(template.system, "system") if template.system else None
        )
        self._user = _text_maker(template.user, "user")

    def render(self, sample: Sample) -> tuple[Message, ...]:
        """System text, shots and question, in this order.

        With the plain template a conversation is sent turn by turn. Raises
        PromptError, naming the sample, if the template fails on it.
        """
        messages: list[Message] = []
        if self._system is not None:
            messages.append(_message("system", self._system(sample)))
        messages.extend(self._template.shots)
        if self._template.user.strip() == PLAIN and not isinstance(sample.input, str):
            messages.extend(sample.input)
        else:
            messages.append(_message("user", self._user(sample)))
        return tuple(messages)


def compile_prompt(template: PromptTemplate) -> CompiledPrompt:
    """The template, ready to render; raises PromptError if it is broken."""
    return CompiledPrompt(template)


def check_prompts(template: PromptTemplate, dataset: Dataset) -> None:
    """Render every sample, and raise PromptError for the first that fails."""
    prompt = compile_prompt(template)
    for sample in dataset:
        prompt.render(sample)


def shots_from(
    dataset: Dataset, *, prompt: PromptTemplate | None = None, most: int | None = None
) -> tuple[Message, ...]:
    """Worked examples: each sample's question, and its target as the answer."""
    compiled = compile_prompt(PromptTemplate(user=(prompt or PromptTemplate()).user))
    turns: list[Message] = []
    for sample in dataset.samples[:most]:
        turns += compiled.render(sample)
        turns.append(_message("assistant", sample.require_target()))
    return tuple(turns)


def render_expression(source: str, fields: dict[str, Any]) -> str:
    """The text of a template over a record's fields, such as a derived target.

    Raises PromptError, naming an unknown field and those that exist.
    """
    environment, template = _compiled(source)
    try:
        text: str = environment.render_text(template, fields)
        return text
    except UndefinedError as error:
        raise PromptError(f"{error}; fields: {one_of(fields)}") from None
    except Exception as error:  # whatever a template's expression may raise
        raise PromptError(f"{type(error).__name__}: {error}") from None


def _text_maker(source: str, role: str) -> RenderText:
    if source.strip() == PLAIN:
        return lambda sample: sample.input_text
    _compile(source, role)

    def make(sample: Sample) -> str:
        try:
            return render_expression(source, _variables(sample))
        except PromptError as error:
            hint = ""
            if "'target' is undefined" in error.message:
                hint = " (a prompt may not name the target: it is the answer)"
            raise PromptError(
                f"the {role} template fails on sample {sample.id!r}: "
                f"{error.message}{hint}"
            ) from None

    return make


def _variables(sample: Sample) -> dict[str, Any]:
    return {
        **(sample.metadata or {}),
        "input": sample.input_text,
        "id": sample.id,
        "group": sample.group,
    }


def _compile(source: str, role: str) -> None:
    try:
        _compiled(source)
    except PromptError as error:
        raise PromptError(f"the {role} template is broken: {error.message}") from None


@lru_cache(maxsize=64)
def _compiled(source: str) -> tuple[Sandbox, Any]:
    environment = Sandbox()
    try:
        return environment, environment.from_string(source)
    except (TemplateError, SecurityError) as error:
        line = getattr(error, "lineno", None)
        where = f" (line {line})" if line else ""
        raise PromptError(f"{error}{where}") from None
    except RecursionError:
        raise PromptError("it is nested too deeply") from None


def _message(role: Any, text: str) -> Message:
    return Message.model_construct(role=role, content=text)
