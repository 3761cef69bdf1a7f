"""The OpenAPI document: FastAPI's, with what the doors and the envelope add to it."""

from typing import Any

from fastapi import FastAPI

from aistrale_lab.server import cookies, openai_errors
from aistrale_lab.server.doors import Door, routes_of

REFERENCE = "#/components/schemas/Envelope"
SCHEMES = {
    "session": {"type": "apiKey", "in": "cookie", "name": cookies.NAME},
    "token": {"type": "http", "scheme": "bearer"},
}
SAYS = {
    "401": "Nobody is signed in.",
    "403": "Who is signed in may not, or another site made the request.",
    "413": "The body is too large.",
    "422": "What was sent is not valid.",
    "503": "The store is away.",
}


def document(app: FastAPI) -> dict[str, Any]:
    """What every route takes and gives, and what it takes to pass its door."""
    made = app.openapi()
    components = made.setdefault("components", {})
    components["securitySchemes"] = SCHEMES
    for method, path, door in routes_of(app):
        said = made.get("paths", {}).get(path.replace(":path", ""), {})
        operation = said.get(method.lower())
        if operation is not None:
            _describe(operation, door, openai=path.startswith(openai_errors.PATHS))
    for name in ("HTTPValidationError", "ValidationError"):
        components.get("schemas", {}).pop(name, None)
    return made


def _describe(operation: dict[str, Any], door: Door, *, openai: bool) -> None:
    responses = operation["responses"]
    schema = openai_errors.SCHEMA if openai else {"$ref": REFERENCE}
    for code in _codes(operation, door):
        status = openai_errors.status_in_openai(int(code)) if openai else code
        responses[str(status)] = {
            "description": SAYS[code],
            "content": {"application/json": {"schema": schema}},
        }
    if openai:
        responses.pop("422", None)
    if door.signed_in:
        operation["security"] = [] if door.token_only else [{"session": []}]
        if not door.cookie_only or door.scraper:
            operation["security"].append({"token": []})


def _codes(operation: dict[str, Any], door: Door) -> list[str]:
    codes = ["503"]
    if door.signed_in:
        codes += ["401", "403"]
    if "requestBody" in operation:
        codes += ["413"]
    if "422" in operation["responses"]:
        codes += ["422"]
    return codes
