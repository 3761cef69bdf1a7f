"""What a page says when a form of its was refused: beside the form, in words."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, ParamSpec, cast

from fastapi import Request
from fastapi.responses import Response

from aistrale_lab.errors import (
    AccessError,
    BudgetError,
    ConfigError,
    LabError,
    NotFoundError,
)
from aistrale_lab.server.errors import headers_of, message_of, status_of
from aistrale_lab.server.pages.kept import in_thread

REFUSALS = (AccessError, BudgetError, ConfigError, NotFoundError)
"""What is told beside the form, not on a page of its own."""

P = ParamSpec("P")

Endpoint = Callable[P, Awaitable[Response]]


def beside_form(
    show: Callable[..., Response],
) -> Callable[[Endpoint[P]], Endpoint[P]]:
    """Answer a form that is refused with its page, and the reason on it.

    `show` makes the page of a request, with an `error`.
    """

    def put(endpoint: Endpoint[P]) -> Endpoint[P]:
        @wraps(endpoint)
        async def told(*args: P.args, **kwargs: P.kwargs) -> Response:
            try:
                return await endpoint(*args, **kwargs)
            except REFUSALS as error:
                request = cast(Request, kwargs["request"])
                return await in_thread(request, show, request, error=error)

        return told

    return put


def told_of(error: LabError | None) -> dict[str, Any]:
    """What a page says of an error, and the status that it has."""
    if error is None:
        return {"problem": ""}
    return {
        "problem": message_of(error),
        "status": status_of(error),
        "headers": headers_of(error),
    }
