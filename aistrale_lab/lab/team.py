"""A team's server as its clients see it: requests, answers, errors in our own words."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2
from pydantic import SecretStr

from aistrale_lab import errors
from aistrale_lab.errors import (
    BudgetError,
    ConfigError,
    ConflictError,
    ForbiddenError,
    LabError,
    NotFoundError,
    NotSignedInError,
    RunnerError,
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
        with self.faults():
            return self.checked(self._client.get(path, params=given)).json()

    def post(self, path: str, body: Any = None) -> Any:
        """What a path answers to a body; raises LabError."""
        with self.faults():
            return self.checked(self._client.post(path, json=body)).json()

    def send(self, path: str, lines: Iterable[str | bytes]) -> Any:
        """What a path answers to lines, which are sent as they are made."""
        content = (one if isinstance(one, bytes) else one.encode() for one in lines)
        with self.faults():
            return self.checked(self._client.post(path, content=content)).json()

    def lines(self, path: str, **params: Any) -> Iterator[str]:
        """The lines that a path answers with, as they come."""
        given = {name: value for name, value in params.items() if value is not None}
        with (
            self.faults(),
            self._client.stream("GET", path, params=given) as answer,
        ):
            if answer.is_error:
                answer.read()
            self.checked(answer)
            yield from _split(answer.iter_text())

    def open_async(self) -> "AsyncTeam":
        """The same server for what belongs to an event loop, which closes it."""
        return AsyncTeam(self, httpx2.AsyncClient(**self._options))

    async def events(self, path: str) -> AsyncIterator[tuple[str, Any]]:
        """The events of a path, each with its name, as they come."""
        async with contextlib.aclosing(self.open_async()) as team:
            async for event in team.events("GET", path):
                yield event

    @contextlib.contextmanager
    def faults(self) -> Iterator[None]:
        """The network's faults as StoreError: the server is where things are kept."""
        try:
            yield
        except httpx2.HTTPError as error:
            said = str(error) or type(error).__name__
            raise StoreError(f"{self.url} cannot be reached: {said}") from error
        except ValueError as error:
            raise StoreError(f"{self.url} answers what is no JSON") from error

    def checked(self, answer: httpx2.Response) -> httpx2.Response:
        """The answer, if it is a good one; raises LabError, in the server's words."""
        if answer.is_success:
            return answer
        if answer.status_code == 401:
            raise NotSignedInError(
                f"{self.url} does not know the token in {TOKEN}, or no longer; "
                f"{_how(self.url)}"
            )
        after = answer.headers.get("retry-after", "")
        seconds = float(after) if after.isdigit() else None
        raise self.error_of(_fault_of(answer), retry_after=seconds)

    def error_of(
        self, fault: Mapping[str, Any], *, retry_after: float | None = None
    ) -> LabError:
        """What the server says went wrong, of the class that it would have here."""
        message = f"{self.url}: {_message_of(fault)}"
        kind = getattr(errors, str(fault.get("error_type")), None)
        if isinstance(kind, type) and issubclass(kind, RunnerError):
            return kind(message, retry_after=retry_after)
        if fault["status_code"] == 402:
            return BudgetError(message, retry_after=retry_after)
        if fault["status_code"] == 429:
            return ThrottledError(message, retry_after=retry_after or 1.0)
        return ERRORS.get(fault["status_code"], StoreError)(message)


class AsyncTeam:
    """A team's server for one event loop. Close it."""

    def __init__(self, team: Team, client: httpx2.AsyncClient) -> None:
        self._team = team
        self._client = client

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def post(self, path: str, body: Any) -> Any:
        """What a path answers to a body; raises LabError."""
        with self._team.faults():
            answer = await self._client.post(path, json=body)
            return self._team.checked(answer).json()

    async def events(
        self, method: str, path: str, body: Any = None
    ) -> AsyncIterator[tuple[str, Any]]:
        """The events that are answered, each with its name, as they come."""
        name = ""
        with self._team.faults():
            async with self._client.stream(method, path, json=body) as answer:
                if answer.is_error:
                    await answer.aread()
                self._team.checked(answer)
                async for line in answer.aiter_lines():
                    if line.startswith("event: "):
                        name = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        yield name, json.loads(line.removeprefix("data: "))


def _how(url: str) -> str:
    return f"make a token at {url} (Account, Tokens) and set {TOKEN} to it"


def _fault_of(answer: httpx2.Response) -> dict[str, Any]:
    """The fault that an answer tells, or its status alone: a proxy knows no more."""
    status = {"status_code": answer.status_code}
    try:
        return dict(answer.json()["error"]) | status
    except (ValueError, KeyError, TypeError):
        return status


def _message_of(fault: Mapping[str, Any]) -> str:
    """What the server says is wrong, field by field where it says so."""
    try:
        fields = fault.get("fields") or ()
        told = [f"{one['field']}: {one['message']}" for one in fields]
        return "; ".join(told) or str(fault["message"])
    except (KeyError, TypeError):
        return f"it answered with status {fault['status_code']}"


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
