"""Structured logs: JSON lines in a file, with every secret taken out.

Nothing here runs on import; `Lab` opens its own `Log` and passes the logger on.
"""

import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import IO, Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import FilteringBoundLogger

MASK = "[redacted]"
_KEY_SHAPES = re.compile(
    r"(?<![A-Za-z0-9_-])"
    r"(sk-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{16,}|ait_[A-Za-z0-9_-]{16,}|Bearer\s+[A-Za-z0-9._~+/=-]{8,})"
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_ESCAPED = {
    character: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code, character in enumerate(map(chr, range(0x2070)))
    if _CONTROL.match(character)
}

EventDict = MutableMapping[str, Any]
"""What structlog hands from one processor to the next."""


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the known secrets and without what looks like a key.

    For logs and errors only: an answer is never altered.
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, MASK)
    return _KEY_SHAPES.sub(MASK, text)


def visible(text: str) -> str:
    """The text with control and direction-changing characters made visible.

    Escape sequences of a model's answer must not reach a terminal.
    """
    return _CONTROL.sub(lambda found: _ESCAPED[found[0]], text)


class Redactor:
    """A structlog processor that takes secrets out of every value, however deep."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(secrets)

    def __call__(self, logger: Any, method: str, event: EventDict) -> EventDict:
        return {key: self._clean(value) for key, value in event.items()}

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return redact(value, self._secrets)
        if isinstance(value, dict):
            return {key: self._clean(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(inner) for inner in value]
        if value is None or isinstance(value, int | float):
            return value
        return redact(str(value), self._secrets)


class Log:
    """A log and the structlog logger that writes to it.

    JSON lines go to a file; with `human`, lines for a person go to standard error
    instead. Tracebacks are kept without local variables, which may hold a key.
    Nothing is configured globally: a notebook's own structlog stays as it is.
    `beside`, if it is set, tells what every line bears too.
    """

    def __init__(
        self, path: Path | None, *, secrets: Iterable[str] = (), human: bool = False
    ) -> None:
        self.path = None if human else path
        self.beside: Callable[[], Mapping[str, str]] | None = None
        self._file: IO[str] = sys.stderr
        if not human:
            target = path if path is not None else Path(os.devnull)
            self._file = target.open("a", encoding="utf-8", errors="backslashreplace")
        self.logger: FilteringBoundLogger = structlog.wrap_logger(
            structlog.WriteLogger(self._file),
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            processors=[
                self._add_beside,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.ExceptionRenderer(
                    ExceptionDictTransformer(show_locals=False)
                ),
                Redactor(secrets),
                _human_line if human else structlog.processors.JSONRenderer(),
            ],
        )

    def _add_beside(self, logger: Any, method: str, event: EventDict) -> EventDict:
        if self.beside is not None:
            event.update(self.beside())
        return event

    def close(self) -> None:
        """Close the file; standard error stays open."""
        if self._file is not sys.stderr:
            self._file.close()


def _human_line(logger: Any, method: str, event: EventDict) -> str:
    """One line of an event: a line break in a value forges no second one."""
    head = [event.pop(name) for name in ("timestamp", "level", "event")]
    rest = [f"{name}={value}" for name, value in event.items()]
    return visible(" ".join(map(str, [*head, *rest])).replace("\n", "\\n"))
