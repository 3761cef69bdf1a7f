"""From the words of a person to values: parameters, tags, texts in files."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aistrale_lab.domain.chat import GenerateConfig
from aistrale_lab.errors import ConfigError, PromptError
from aistrale_lab.lab.plan import configure

Sweep = dict[str, tuple[Any, ...]]
"""The values to try for each parameter; one value is a setting, several a sweep."""

_CLOSING = {"[": "]", "{": "}"}


def read_text(words: str, *, option: str) -> str:
    """The text itself, or for `@FILE` what the file holds; `@@` is a plain `@`.

    Raises PromptError for a file that cannot be read as UTF-8.
    """
    if words.startswith("@@") or not words.startswith("@"):
        return words.removeprefix("@") if words.startswith("@@") else words
    path = Path(words[1:])
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise PromptError(f"{option} {words}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PromptError(f"{option} {words}: is not UTF-8 ({error.reason})") from error


def parse_params(words: Iterable[str], *, option: str = "--param") -> Sweep:
    """`KEY=VALUE[,VALUE...]` for each parameter; raises ConfigError.

    `option` is what the person calls them, for the message.

    A value is JSON where it can be (numbers, true, false, null, quoted text, lists,
    objects) and plain text otherwise. Commas inside brackets or quotes belong to
    the value.
    """
    params: Sweep = {}
    for word in words:
        name, values = _pair(word, option=option, form="KEY=VALUE[,VALUE...]")
        if name in params:
            raise ConfigError(
                f"{option} {name} is given twice; several values are written "
                f"{option} {name}=A,B"
            )
        params[name] = tuple(
            _value(part) for part in _split(values, f"{option} {word!r}")
        )
        if len({repr(value) for value in params[name]}) < len(params[name]):
            raise ConfigError(f"{option} {word!r} holds the same value twice")
    return params


def settings_of(params: Sweep) -> tuple[GenerateConfig, Sweep]:
    """What holds for every call, and what is swept; raises ValidationError."""
    single = {name: values[0] for name, values in params.items() if len(values) == 1}
    sweep = {name: values for name, values in params.items() if len(values) > 1}
    return configure(GenerateConfig(), single), sweep


def words_of(config: GenerateConfig, sweep: Mapping[str, Sequence[Any]]) -> list[str]:
    """What `parse_params` and `settings_of` read as these settings and this sweep."""
    fields = config.model_dump(mode="json", exclude_none=True)
    extra = {f"extra.{name}": value for name, value in fields.pop("extra", {}).items()}
    single = {name: [value] for name, value in {**fields, **extra}.items()}
    return [
        f"{name}={','.join(json.dumps(value, ensure_ascii=False) for value in values)}"
        for name, values in {**single, **sweep}.items()
    ]


def parse_tags(words: Iterable[str]) -> dict[str, str]:
    """`KEY=VALUE` for each tag; raises ConfigError."""
    tags: dict[str, str] = {}
    for word in words:
        name, value = _pair(word, option="--tag", form="KEY=VALUE")
        if name in tags:
            raise ConfigError(f"--tag {name} is given twice")
        tags[name] = value
    return tags


def given(**options: Any) -> dict[str, Any]:
    """The options that were given: what is None keeps its default."""
    return {name: value for name, value in options.items() if value is not None}


def _pair(word: str, *, option: str, form: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    name = name.strip()
    if not (equals and name):
        raise ConfigError(f"{option} {word!r} is not of the form {form}")
    return name, value


def _value(part: str) -> Any:
    part = part.strip()
    try:
        return json.loads(part, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return part


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _split(text: str, asked: str) -> list[str]:
    """The parts between the commas that stand outside of brackets and quotes."""
    parts: list[str] = []
    open_brackets: list[str] = []
    start, quoted, escaped = 0, False, False
    for place, letter in enumerate(text):
        if quoted:
            quoted = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"' and not text[start:place].strip(" [{,:"):
            quoted = True
        elif letter == '"' and open_brackets:
            quoted = True
        elif letter in _CLOSING:
            open_brackets.append(_CLOSING[letter])
        elif open_brackets and letter == open_brackets[-1]:
            open_brackets.pop()
        elif letter == "," and not open_brackets:
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    if not all(part.strip() for part in parts):
        raise ConfigError(f'{asked} has an empty value; empty text is written ""')
    return parts
