"""Errors as OpenAI's API tells them, for its clients: all paths below /v1/."""

from typing import Any

from aistrale_lab.errors import NotFoundError

PATHS = "/v1/"

TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
CODES = {
    "BudgetError": "insufficient_quota",
    "ContextLengthError": "context_length_exceeded",
    "ModelNotFoundError": "model_not_found",
    "NotSignedInError": "invalid_api_key",
    "NoSuchModelError": "model_not_found",
    "RateLimitError": "rate_limit_exceeded",
    "ThrottledError": "rate_limit_exceeded",
}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": "null"},
                "code": {"type": "string"},
            },
        }
    },
}


class NoSuchModelError(NotFoundError):
    """What was named is no model of the server's, whatever is wrong with the name."""


def status_in_openai(status_code: int) -> int:
    """What is not valid is a bad request there."""
    return 400 if status_code == 422 else status_code


def error_in_openai(status_code: int, error_type: str, message: str) -> dict[str, Any]:
    """The body of an error."""
    kind = "server_error" if status_code >= 500 else "invalid_request_error"
    return {
        "error": {
            "message": message,
            "type": TYPES.get(status_code, kind),
            "param": None,
            "code": CODES.get(error_type, error_type),
        }
    }
