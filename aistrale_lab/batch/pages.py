"""What a batch leaves for a browser: its points as pages, its reports, an index."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from aistrale_lab.analysis import figures
from aistrale_lab.analysis.whole_file import whole_file
from aistrale_lab.batch.outcome import INDEX, Batch
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.report import PointRow, Target, index_page, write_report
from aistrale_lab.widgets.exporting import to_html

PAGES = Path("pages")
REPORTS = Path("reports")


async def write_pages(found: Batch) -> None:
    """Export what is newer than its page, report on every experiment, and index both.

    It may be cancelled between two files, each of which is written whole or not at
    all. Raises StoreError or OSError if one cannot be written.
    """
    for step in await asyncio.to_thread(_steps, found):
        await asyncio.to_thread(step)


def write_index(found: Batch) -> None:
    """Write the index, with links to those files that there are."""
    page = index_page(
        found.record.name,
        [_row(one, found.out) for one in found.objects()],
        batch_id=found.id,
        store=found.store_url,
        reports=[
            Target(f"{one.name}, {one.id}", _there(found.out, report_of(one)))
            for one in found.experiments
        ],
    )
    _write(found.out / INDEX, page)


def page_of(notebook: Path) -> Path:
    """Where the page of a notebook is; in a folder where no name is taken."""
    return notebook.parent / PAGES / f"{notebook.stem}.html"


def report_of(experiment: Experiment) -> Path:
    """Where the report of an experiment is, seen from the index."""
    return REPORTS / f"{experiment.id}.html"


def _steps(found: Batch) -> list[Callable[[], object]]:
    """What there is to write, the index last."""
    for folder in (PAGES, REPORTS):
        (found.out / folder).mkdir(exist_ok=True)
    notebooks = [found.path_of(point) for point in found.points]
    return [
        *(partial(_export, n) for n in notebooks if _is_behind(page_of(n), n)),
        *(
            partial(write_report, one, found.out / report_of(one))
            for one in found.experiments
        ),
        partial(write_index, found),
    ]


def _is_behind(page: Path, notebook: Path) -> bool:
    if not notebook.exists():
        return False
    written = page.stat().st_mtime_ns if page.exists() else 0
    return written < notebook.stat().st_mtime_ns


def _export(notebook: Path) -> None:
    _write(page_of(notebook), to_html(notebook))


def _write(path: Path, text: str) -> None:
    with whole_file(path) as file:
        file.write(text.encode("utf-8", "replace"))


def _row(point: dict[str, Any], out: Path) -> PointRow:
    notebook = Path(point["notebook"])
    runs = point["runs"]
    return PointRow(
        name=point["name"],
        parameters=point["varied"] or point["parameters"],
        status=point["status"],
        run_ids=[run["run_id"] for run in runs],
        notebook=_there(out, notebook.relative_to(out)),
        export=_there(out, page_of(notebook).relative_to(out)),
        metrics={
            name if len(runs) == 1 else f"{run['model']}\n{name}": text
            for run in runs
            for name, text in _metrics(run).items()
        },
        note=point["reason"] or "",
    )


def _there(out: Path, path: Path) -> str | None:
    return path.as_posix() if (out / path).exists() else None


def _metrics(run: dict[str, Any]) -> dict[str, str]:
    """What a run found, a second line for its interval or its unit."""
    scores = {
        name: "\n".join(
            figures.metric(
                found,
                binary=run["denominators"].get(name, {}).get("binary", False),
            )
        ).strip()
        for name, found in run["metrics"].items()
    }
    unit, (duration,) = figures.seconds([run["latency"]["duration_s"]["p50"]])
    (cost,) = figures.dollars([run["cost_usd"]], at_least=[run["usage"]["unknown"] > 0])
    return {
        **scores,
        "answered": figures.share(run["completed"], run["samples"]),
        "latency\np50": (
            duration if duration == figures.UNKNOWN else f"{duration} {unit}"
        ),
        "cost": cost,
    }
