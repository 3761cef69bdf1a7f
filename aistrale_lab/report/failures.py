"""What failed: how often in which run, and what the errors said."""

from collections.abc import Mapping, Sequence

import pandas as pd

from aistrale_lab.analysis import figures
from aistrale_lab.analysis.remarks import failure_counts
from aistrale_lab.analysis.tables import Column, who_columns
from aistrale_lab.report.description import Answer, Block, Card, Line, Section
from aistrale_lab.report.grids import grid
from aistrale_lab.report.material import Material
from aistrale_lab.report.texts import LONGEST, many, message, name
from aistrale_lab.store.excerpts import Excerpt, Key

TYPES = 8
"""Error types of which there are examples, the most frequent first."""

EACH = 3
"""Examples of an error type, of different runs if it can be."""


def failures_section(material: Material) -> Section:
    """Runs by error types, and what some of the errors said."""
    counts = [failure_counts(run) for run in material.objects]
    kinds = list(dict.fromkeys(kind for found in counts for kind in found))
    if not kinds:
        told = "No sample failed: every call was answered."
        return Section("failures", "Failures", [Line(told)])
    columns = who_columns(material.objects) + [
        Column(name(kind), [figures.count(found.get(kind, 0)) for found in counts])
        for kind in kinds[: 2 * TYPES]
    ]
    columns.append(
        Column("samples", [figures.count(run["samples"]) for run in material.objects])
    )
    blocks: list[Block] = [
        grid(columns, links=material.run_links),
        *_examples(material),
    ]
    return Section("failures", "Failures", blocks)


def _examples(material: Material) -> list[Card]:
    results = material.results
    failed = results.loc[
        results["error_type"].notna(), ["run_id", "sample_id", "epoch", "error_type"]
    ]
    kinds = failed["error_type"].value_counts().head(TYPES)
    keys = {
        str(kind): _some(failed[failed["error_type"] == kind]) for kind in kinds.index
    }
    asked = [key for some in keys.values() for key in some]
    texts = material.experiment.excerpts(asked, longest=LONGEST)
    return [
        Card(
            title=name(kind),
            remark=many(count, "sample"),
            passages=(),
            answers=_answers(keys[str(kind)], texts, material),
        )
        for kind, count in kinds.items()
    ]


def _some(rows: pd.DataFrame) -> list[Key]:
    """The first of each run, then the next of any."""
    first = rows.drop_duplicates("run_id")
    some = pd.concat([first, rows.drop(first.index)]).head(EACH)
    return [
        (str(run_id), str(sample_id), int(epoch))
        for run_id, sample_id, epoch, _ in some.itertuples(index=False)
    ]


def _answers(
    keys: Sequence[Key], texts: Mapping[Key, Excerpt], material: Material
) -> list[Answer]:
    return [
        Answer(
            who=material.names[key[0]],
            text=message(texts[key].text or ""),
            verdict=f"sample {name(key[1])}",
            state="failed",
            note="there is more of it" if texts[key].cut else "",
            href=material.links.result(key),
        )
        for key in keys
        if key in texts
    ]
