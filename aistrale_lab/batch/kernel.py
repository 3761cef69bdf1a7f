"""One notebook in one kernel, from its first cell to the last or to its death."""

import asyncio
import contextlib
import copy
import logging
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aistrale_lab.logs import visible
from aistrale_lab.store.records import PointStatus

if TYPE_CHECKING:
    from nbformat import NotebookNode

GRACE = 10.0
"""Seconds that a kernel may take to end its cell after it was interrupted."""

QUIET = logging.getLogger("aistrale_lab.batch.kernel")
"""What nbclient would print beside the progress goes nowhere unless asked for."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a notebook ended, and why if not at its end."""

    status: PointStatus
    reason: str | None = None


def prepare(notebook: "NotebookNode", parameters: Mapping[str, Any]) -> "NotebookNode":
    """A copy with the parameters put in by papermill, and without earlier outputs."""
    from papermill.parameterize import parameterize_notebook

    bare = copy.deepcopy(notebook)
    bare.metadata.setdefault("papermill", {})
    for cell in bare.cells:
        cell.metadata.setdefault("tags", [])  # papermill takes them to be there
    made: NotebookNode = parameterize_notebook(bare, dict(parameters))
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return made


class Kernel:
    """Executes a prepared notebook in place; belongs to one event loop."""

    def __init__(
        self, notebook: "NotebookNode", folder: Path, environment: Mapping[str, str]
    ) -> None:
        from nbclient import NotebookClient

        self._environment = dict(environment)
        self._stopped = asyncio.Event()
        self._cell = 0
        QUIET.addHandler(logging.NullHandler())
        QUIET.propagate = False
        self._client = NotebookClient(
            notebook,
            timeout=None,
            kernel_name=notebook.metadata.get("kernelspec", {}).get("name", "python3"),
            resources={"metadata": {"path": str(folder)}},
            on_cell_execute=self._begin_cell,
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            log=QUIET,
        )

    def stop(self) -> None:
        """Interrupt the cell that runs: what it started stops, and is kept."""
        self._stopped.set()

    async def execute(self) -> Ended:
        """Run every cell; an error of a cell, and the kernel's death, end it there."""
        from jupyter_client.kernelspec import NoSuchKernel

        running = asyncio.create_task(
            self._client.async_execute(
                env=self._environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        stopping = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait([running, stopping], return_when="FIRST_COMPLETED")
            if not running.done():
                await self._interrupt(running)
            return self._ended(running)
        except NoSuchKernel as error:
            return Ended(PointStatus.FAILED, f"no kernel {error.name!r} is installed")
        finally:
            stopping.cancel()
            await self._end(running)

    def _ended(self, running: "asyncio.Task[Any]") -> Ended:
        """What the outcome of the execution means for the point."""
        from nbclient.exceptions import (
            CellExecutionError,
            CellTimeoutError,
            DeadKernelError,
        )

        if self._stopped.is_set() and not (running.done() and not _failed(running)):
            return Ended(PointStatus.INTERRUPTED, "stopped")
        try:
            running.result()
        except DeadKernelError:
            return Ended(PointStatus.FAILED, f"the kernel died in cell {self._cell}")
        except CellExecutionError as error:
            said = visible(" ".join(str(error.evalue).split()))[:500]
            return Ended(
                PointStatus.FAILED, f"cell {self._cell}: {error.ename}: {said}"
            )
        except (CellTimeoutError, RuntimeError, TimeoutError) as error:
            return Ended(PointStatus.FAILED, f"the kernel did not answer: {error}")
        return Ended(PointStatus.COMPLETED)

    async def _interrupt(self, running: "asyncio.Task[Any]") -> None:
        from jupyter_core.utils import ensure_async

        km = self._client.km
        if km is not None and self._client.kc is not None:
            with contextlib.suppress(Exception):  # a kernel that is gone is no matter
                await ensure_async(km.interrupt_kernel())
            await asyncio.wait([running], timeout=GRACE)

    async def _end(self, running: "asyncio.Task[Any]") -> None:
        """Leave no kernel behind, whatever happened."""
        from jupyter_core.utils import ensure_async

        if not running.done():
            running.cancel()
            await asyncio.wait([running], timeout=GRACE)
        km = self._client.km
        if km is not None and km.has_kernel:
            with contextlib.suppress(Exception):
                await ensure_async(km.shutdown_kernel(now=True))

    def _begin_cell(self, *, cell: Any, cell_index: int) -> None:
        self._cell = 1 + sum(
            one.cell_type == "code" for one in self._client.nb.cells[:cell_index]
        )


def _failed(task: "asyncio.Task[Any]") -> bool:
    return task.cancelled() or task.exception() is not None
