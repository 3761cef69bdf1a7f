"""Starting a batch: everything is checked before the first kernel starts."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from aistrale_lab.batch.drive import Drive
from aistrale_lab.batch.grid import BatchFile, load_file, make_points, parse_words
from aistrale_lab.batch.outcome import Batch
from aistrale_lab.batch.output import remove_parts
from aistrale_lab.batch.pages import write_index, write_pages
from aistrale_lab.batch.parameters import (
    check_no_key,
    load_notebook,
    read_parameters,
)
from aistrale_lab.domain.values import fingerprint
from aistrale_lab.errors import ConfigError, LabError, ValidationError
from aistrale_lab.lab.bench import Lab
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.lab.progress import watched

JOBS = 2
"""Kernels at once, unless told otherwise."""

FILES = (".yaml", ".yml")

EXTRA = 'batches need the extra "notebook": pip install "aistrale-lab[notebook]"'


async def run(
    bench: Lab,
    notebook: Path | str,
    grid: Mapping[str, Sequence[Any]] | None = None,
    **how: Any,
) -> Batch:
    """`start`, and wait for the end; interrupting the wait stops the kernels.

    On a terminal the progress of all points is seen meanwhile.
    """
    handle = await asyncio.to_thread(start, bench, notebook, grid, **how)
    return await watched(handle)


def start(
    bench: Lab,
    notebook: Path | str,
    grid: Mapping[str, Sequence[Any]] | None = None,
    *,
    out: Path | str,
    points: Sequence[Mapping[str, Any]] = (),
    words: Sequence[str] = (),
    name: str | None = None,
    jobs: int = JOBS,
    fresh: bool = False,
    pages: bool = True,
) -> RunHandle[Batch]:
    """Start a batch: a notebook, or a `batch.yaml`, at every point of a grid.

    `grid` names values for each parameter, `words` the same as `KEY=VALUE[,VALUE]`,
    and `points` single sets. The same name and `out` go on with the same batch, unless
    `fresh`. At the end `out` has an index of `pages`: notebooks and reports. Raises ConfigError, ValidationError, NotFoundError and StoreError before
    any kernel starts.
    """
    _check_installed()
    for word in words:  # before a fault of it is told
        check_no_key(dict([word.partition("=")[::2]]), bench.secrets)
    if jobs < 1:
        raise ValidationError(f"jobs must be at least 1, not {jobs}")
    given = Path(notebook)
    asked = load_file(given) if given.suffix in FILES else BatchFile()
    path = notebook_of(given, asked)
    loaded = load_notebook(path)
    known = read_parameters(loaded, path)
    more = {**dict(grid or {}), **parse_words(words, known)}
    asked = asked.model_copy(
        update={
            "grid": {**asked.grid, **{k: list(v) for k, v in more.items()}},
            "points": [*asked.points, *map(dict, points)],
        }
    )
    chosen = make_points(asked, known)
    for point in chosen:
        check_no_key(point.parameters, bench.secrets)
    folder = _folder(Path(out))
    name = name or asked.name or path.stem
    batch = bench.batches.open(
        fingerprint({"batch": name, "out": str(folder)}),
        name=name,
        notebook=str(path),
        fresh=fresh,
    )
    try:
        remove_parts(folder)
        drive = Drive(bench, batch, loaded, path, chosen, folder, jobs)
    except BaseException:
        with suppress(LabError):
            bench.batches.close(batch.id)
        raise
    found = Batch(bench, batch, chosen, folder)
    return bench.conduct(
        _conduct(drive, found) if pages else drive.conduct(),
        so_far=lambda: found,
        handle_id=batch.id,
        lanes=drive.lanes,
    )


async def _conduct(drive: Drive, found: Batch) -> None:
    """Drive, and leave the pages; if it was stopped, no more than the index."""
    await drive.conduct()
    if drive.interrupted:
        await asyncio.to_thread(write_index, found)
        return
    with suppress(asyncio.CancelledError):  # nothing that was paid is missing
        await write_pages(found)


def notebook_of(given: Path, asked: BatchFile) -> Path:
    """The notebook; one that a batch file names stands relative to that file."""
    if given.suffix not in FILES:
        return given.expanduser().absolute()
    if asked.notebook is None:
        raise ValidationError(f"{given} names no notebook")
    return (given.parent / asked.notebook).absolute()


def _folder(out: Path) -> Path:
    """The folder of the notebooks, made if need be; raises ConfigError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise ConfigError(
            f"{str(out)!r} cannot be the folder: {error.strerror}"
        ) from None
    return out.resolve()


def _check_installed() -> None:
    from importlib.util import find_spec

    if any(find_spec(name) is None for name in ("papermill", "nbclient", "ipykernel")):
        raise ConfigError(EXTRA)
