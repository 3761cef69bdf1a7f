"""Bodies that can be trusted to end, and JSON that every later reader takes.

Python's own parser takes NaN, lone surrogates, and lists so deep that others fail on
them; none of these is JSON, or text that a database can hold.
"""

import json
from json import JSONDecodeError
from typing import Any, NoReturn

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import Message

DEEPEST = 64
"""Lists and objects within each other."""


class CheckedRequest(Request):
    """A request whose body is at most so long, and whose JSON is strict."""

    def __init__(self, request: Request, limit: int) -> None:
        super().__init__(request.scope, self._limited, request._send)
        self._inner = request.receive
        self._left = limit
        self._limit = limit

    async def json(self) -> Any:
        """The body; raises JSONDecodeError for what is not JSON."""
        if not hasattr(self, "_json"):
            self._json = parse(await self.body())
        return self._json

    async def _limited(self) -> Message:
        if int(self.headers.get("content-length") or 0) > self._limit:
            self._refuse()
        message = await self._inner()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self._refuse()
        return message

    def _refuse(self) -> NoReturn:
        # an HTTPException, for FastAPI turns all others of its reading into a 400
        raise HTTPException(413, f"the body may have {self._limit:,} bytes")


def parse(body: bytes) -> Any:
    """The value of a JSON text; raises JSONDecodeError, for a too deep one as well."""
    try:
        text = body.decode()
        value = json.loads(text, parse_constant=_no_constant)
        _check_depth(value)
        if b"\\u" in body:
            json.dumps(value, ensure_ascii=False).encode()
    except JSONDecodeError:
        raise
    except RecursionError:
        raise JSONDecodeError("it is nested too deeply", "", 0) from None
    except UnicodeError:
        raise JSONDecodeError("it holds what is not Unicode text", "", 0) from None
    except ValueError as error:  # such as a number of too many digits
        raise JSONDecodeError(str(error), "", 0) from None
    return value


def _no_constant(name: str) -> NoReturn:
    raise JSONDecodeError(f"{name} is no JSON", "", 0)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return
    raise RecursionError


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
