"""From the words of a command line to values: parameters, tags, texts in files."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aistrale_lab.errors import ConfigError, PromptError

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


def parse_params(words: Iterable[str]) -> Sweep:
    """`KEY=VALUE[,VALUE...]` for each parameter; raises ConfigError.

    A value is JSON where it can be (numbers, true, false, null, quoted text, lists,
    objects) and plain text otherwise. Commas inside brackets or quotes belong to
    the value.
    """
    params: Sweep = {}
    for word in words:
        name, values = _pair(word, option="--param", form="KEY=VALUE[,VALUE...]")
        if name in params:
            raise ConfigError(
                f"--param {name} is given twice; several values are written "
                f"--param {name}=A,B"
            )
        params[name] = tuple(_value(part) for part in _split(values, word))
        if len({repr(value) for value in params[name]}) < len(params[name]):
            raise ConfigError(f"--param {word!r} holds the same value twice")
    return params


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


def _split(text: str, word: str) -> list[str]:
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
        raise ConfigError(
            f'--param {word!r} has an empty value; empty text is written ""'
        )
    return parts
