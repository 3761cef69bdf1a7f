"""A team's server as its clients see it: requests, answers, errors in our own words."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
from pydantic import SecretStr

from aistrale_lab.errors import (
    ConfigError,
    ConflictError,
    ForbiddenError,
    LabError,
    NotFoundError,
    NotSignedInError,
    StoreError,
    ThrottledError,
    ValidationError,
)
from aistrale_lab.runners.base import check_base_url

TOKEN = "AISTRALE_TOKEN"

PATIENCE = httpx2.Timeout(300, connect=15)
"""Seconds that an answer, and a connection, may take; the server's beat is shorter."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")

ERRORS: dict[int, type[LabError]] = {
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: ValidationError,
}


def is_server(url: str) -> bool:
    """Whether the URL is a server's, and no database's."""
    return url.partition("://")[0] in ("http", "https")


def check_server_url(url: str) -> str:
    """The URL of a server; raises ConfigError for one that would tell the token."""
    checked = check_base_url(url, name="the server's URL")
    parts = urlsplit(checked)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ConfigError(
            f"{checked} is not encrypted, and the token would be read on its way; "
            "https:// is needed, or http:// to this machine"
        )
    return checked


class Team:
    """A team's server, as the user whose token is given. Close it."""

    def __init__(self, url: str, token: SecretStr | None) -> None:
        self.url = check_server_url(url)
        if token is None or not token.get_secret_value().strip():
            raise NotSignedInError(f"{TOKEN} is not set; {_how(self.url)}")
        self._options: dict[str, Any] = {
            "base_url": f"{self.url}/api/v1/",
            "headers": {"authorization": f"Bearer {token.get_secret_value().strip()}"},
            "timeout": PATIENCE,
            # a proxy between us and this machine would only learn the token
            "trust_env": urlsplit(self.url).scheme == "https",
        }
        self._client = httpx2.Client(**self._options)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def get(self, path: str, **params: Any) -> Any:
        """What a path answers; raises LabError."""
        given = {name: value for name, value in params.items() if value is not None}
        with self._faults():
            return self._checked(self._client.get(path, params=given)).json()

    def post(self, path: str, body: Any = None) -> Any:
        """What a path answers to a body; raises LabError."""
        with self._faults():
            return self._checked(self._client.post(path, json=body)).json()

    def send(self, path: str, lines: Iterable[str | bytes]) -> Any:
        """What a path answers to lines, which are sent as they are made."""
        content = (one if isinstance(one, bytes) else one.encode() for one in lines)
        with self._faults():
            return self._checked(self._client.post(path, content=content)).json()

    def lines(self, path: str, **params: Any) -> Iterator[str]:
        """The lines that a path answers with, as they come."""
        given = {name: value for name, value in params.items() if value is not None}
        with (
            self._faults(),
            self._client.stream("GET", path, params=given) as answer,
        ):
            if answer.is_error:
                answer.read()
            self._checked(answer)
            yield from _split(answer.iter_text())

    async def events(self, path: str) -> AsyncIterator[tuple[str, Any]]:
        """The events of a path, each with its name, as they come."""
        name = ""
        with self._faults():
            async with (
                httpx2.AsyncClient(**self._options) as client,
                client.stream("GET", path) as answer,
            ):
                if answer.is_error:
                    await answer.aread()
                self._checked(answer)
                async for line in answer.aiter_lines():
                    if line.startswith("event: "):
                        name = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        yield name, json.loads(line.removeprefix("data: "))

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        """The network's faults as StoreError: the server is where things are kept."""
        try:
            yield
        except httpx2.HTTPError as error:
            said = str(error) or type(error).__name__
            raise StoreError(f"{self.url} cannot be reached: {said}") from error
        except ValueError as error:
            raise StoreError(f"{self.url} answers what is no JSON") from error

    def _checked(self, answer: httpx2.Response) -> httpx2.Response:
        """The answer, if it is a good one; raises LabError, in the server's words."""
        if answer.is_success:
            return answer
        if answer.status_code == 401:
            raise NotSignedInError(
                f"{self.url} does not know the token in {TOKEN}, or no longer; "
                f"{_how(self.url)}"
            )
        message = f"{self.url}: {_message_of(answer)}"
        if answer.status_code == 429:
            after = answer.headers.get("retry-after", "1")
            seconds = float(after) if after.isdigit() else 1.0
            raise ThrottledError(message, retry_after=seconds)
        raise ERRORS.get(answer.status_code, StoreError)(message)


def _how(url: str) -> str:
    return f"make a token at {url} (Account, Tokens) and set {TOKEN} to it"


def _message_of(answer: httpx2.Response) -> str:
    """What the server says is wrong, field by field where it says so."""
    try:
        fault = answer.json()["error"]
        fields = fault.get("fields") or ()
        told = [f"{one['field']}: {one['message']}" for one in fields]
        return "; ".join(told) or str(fault["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"it answered with status {answer.status_code}"


def _split(texts: Iterable[str]) -> Iterator[str]:
    """Lines that end with a line feed, and with nothing else: texts may hold others."""
    rest: list[str] = []
    for text in texts:
        first, *more = text.split("\n")
        rest.append(first)
        for line in more:
            yield "".join(rest)
            rest = [line]
    if any(rest):
        yield "".join(rest)
