"""Experiments as background work, within what their user may use."""

from collections.abc import Callable
from typing import Any

from anyio import from_thread
from fastapi import Request

from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.lab.options import RunOptions
from aistrale_lab.server.caller import caller_of
from aistrale_lab.server.limits import Limits
from aistrale_lab.server.work import Work


def begin(
    request: Request,
    options: dict[str, Any],
    start: Callable[..., RunHandle[Any]],
    work: Work,
) -> RunHandle[Any]:
    """Start an experiment, which will send that work, from the thread of a route.

    Its lanes share the user's rates and places; of the user's money it may spend what
    is left, and no more than it was given, nor than its calls can cost. Raises
    BudgetError if nothing is left.
    """
    limits: Limits = request.app.state.limits
    caller, chosen = caller_of(request), RunOptions.of(options)
    within = limits.shared_out(caller, chosen, len(work.lanes))
    most = limits.most_of(caller, work)
    allotment = from_thread.run(limits.allot, caller, chosen.budget, most)
    if allotment.usd is not None:
        within["budget"] = allotment.usd
    try:
        handle = start(**within)
    except BaseException:
        allotment.end()
        raise
    handle.on_end(allotment.end)
    return handle
