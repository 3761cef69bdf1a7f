"""Claims of notebooks as tests of their own, in the kernel that nbval runs cells in."""

import json
from queue import Empty
from typing import Any

import pytest
from nbval.plugin import IPyNbCell  # type: ignore[import-untyped]

from aistrale_lab.lab.claims import claims_of

SECONDS = 120.0
"""How long a kernel may take to judge a claim."""

JUDGE = """
def _aistrale_check(claim, names=dict(globals())):
    import json
    from aistrale_lab.errors import LabError
    from aistrale_lab.lab.claims import check_cell
    try:
        faults = check_cell(claim, names)
    except LabError as error:
        faults = [error.message]
    print(json.dumps(faults))
_aistrale_check({claim})
del _aistrale_check
"""


class NotebookCheck(pytest.Item):
    """One claim of one cell."""

    def __init__(self, *, claim: str, cell: IPyNbCell, **known: Any) -> None:
        super().__init__(**known)
        self._claim = claim
        self._cell = cell

    def runtest(self) -> None:
        """Judge the claim in the cell's kernel; what does not hold fails the test."""
        kernel = self._cell.parent.kernel
        if kernel is None or not kernel.is_alive():
            pytest.fail("the kernel is gone", pytrace=False)
        code = JUDGE.replace("{claim}", repr(self._claim))
        faults = json.loads(_printed(kernel, code))
        if faults:
            pytest.fail("\n".join(faults), pytrace=False)

    def reportinfo(self) -> tuple[Any, int, str]:
        """Where the claim stands."""
        return self.path, 0, f"{self.path.name}::{self.name}"


def insert_checks(items: list[pytest.Item]) -> None:
    """Put a test behind each collected cell for every claim that it makes."""
    found: list[pytest.Item] = []
    for item in items:
        found.append(item)
        if not isinstance(item, IPyNbCell):
            continue
        claims = claims_of(item.cell.source)
        if claims:
            item.options["check"] = False
        found += [
            NotebookCheck.from_parent(
                item.parent, name=f"{item.name}: {claim}", claim=claim, cell=item
            )
            for claim in claims
        ]
    items[:] = found


def _printed(kernel: Any, code: str) -> str:
    """What code prints in the kernel; it leaves no trace in its history."""
    message_id = kernel.kc.execute(code, store_history=False, allow_stdin=False)
    printed, error = "", ""
    while True:
        try:
            message = kernel.get_message("iopub", timeout=SECONDS)
        except Empty:
            pytest.fail("the kernel did not answer", pytrace=False)
        if message["parent_header"].get("msg_id") != message_id:
            continue
        content = message["content"]
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            printed += content["text"]
        if message["msg_type"] == "error":
            error = f"{content['ename']}: {content['evalue']}"
        if content.get("execution_state") == "idle":
            break
    if error:
        pytest.fail(error, pytrace=False)
    return printed
