"""Forms as browsers send them, read strictly."""

from typing import Any, TypeVar
from urllib.parse import parse_qsl

import pydantic
from fastapi import Request

from aistrale_lab.errors import ValidationError

Asked = TypeVar("Asked", bound=pydantic.BaseModel)

MOST = 50
"""Fields of a form."""


async def read_form(request: Request) -> dict[str, list[str]]:
    """The fields of a form; one that was left empty is not there.

    Raises ValidationError for what is no form.
    """
    try:
        body = (await request.body()).decode("ascii")
        pairs = parse_qsl(body, errors="strict", max_num_fields=MOST)
    except ValueError:
        raise ValidationError("this is no form of our pages") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def checked(model: type[Asked], **fields: Any) -> Asked:
    """The fields as a model; raises ValidationError in words, without the values."""
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return model.model_validate(given)
    except pydantic.ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        told = (
            f"{fault['loc'][0] if fault['loc'] else 'form'}: {fault['msg']}"
            for fault in faults
        )
        raise ValidationError("; ".join(told)) from None


def one(fields: dict[str, list[str]], name: str) -> str:
    """The only value of a field; empty if there is none."""
    return fields.get(name, [""])[0]
