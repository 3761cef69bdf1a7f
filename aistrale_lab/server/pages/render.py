"""Pages from templates: the server's own, and the blocks that a report is made of."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader

from aistrale_lab.logs import visible
from aistrale_lab.report.plan import moment
from aistrale_lab.report.render import html_environment
from aistrale_lab.report.texts import name


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """A page as an answer; every value is escaped on its way out."""
    text = (
        _environment()
        .get_template(template)
        .render(
            caller=getattr(request.state, "caller", None),
            path=request.url.path,
            **values,
        )
    )
    # a lone surrogate, which no page can hold, is shown as a question mark
    return HTMLResponse(text.encode("utf-8", "replace"), status, headers=headers)


@cache
def _environment() -> Environment:
    environment = html_environment(PackageLoader("aistrale_lab.server"))
    environment.filters |= {"visible": visible, "moment": moment, "short": name}
    return environment
