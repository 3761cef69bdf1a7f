"""The OpenAPI document: FastAPI's, with what the doors and the envelope add to it."""

from typing import Any

from fastapi import FastAPI

from aistrale_lab.server import cookies
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
        operation = made.get("paths", {}).get(path, {}).get(method.lower())
        if operation is not None:
            _describe(operation, door)
    for name in ("HTTPValidationError", "ValidationError"):
        components.get("schemas", {}).pop(name, None)
    return made


def _describe(operation: dict[str, Any], door: Door) -> None:
    responses = operation["responses"]
    for code in _codes(operation, door):
        responses[code] = {
            "description": SAYS[code],
            "content": {"application/json": {"schema": {"$ref": REFERENCE}}},
        }
    if door.signed_in:
        operation["security"] = [{"session": []}]
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
