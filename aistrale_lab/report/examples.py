"""Samples worth reading: those that went worst, and those that decide a comparison."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from aistrale_lab.analysis import figures
from aistrale_lab.analysis.columns import SCORE
from aistrale_lab.report.description import (
    Answer,
    Block,
    Card,
    Heading,
    Line,
    Passage,
    Section,
    State,
)
from aistrale_lab.report.material import Evidence, Material
from aistrale_lab.report.texts import LONGEST, left_out, message, name, shown
from aistrale_lab.store.excerpts import Excerpt, Key

WORST = 8
"""Samples that went worst."""

FLIPPED = 4
"""Samples that flipped, in each direction."""

BESIDE = 6
"""Answers beside each other."""


@dataclass(frozen=True, slots=True)
class Example:
    """A sample to be shown: what to say of it, and whose results stand under it."""

    sample_id: str
    remark: str
    keys: Sequence[Key]


def worst_section(material: Material, evidence: Evidence) -> Section:
    """The samples with the lowest mean score over the runs."""
    title = "Worst samples"
    metric = material.metric
    if metric is None:
        return _nothing("worst", title, "No answer was scored.")
    means = _means(material.results, metric)
    if means.min() == means.max():
        told = f"All samples have the same mean {name(metric)}."
        return _nothing("worst", title, told)
    lowest = means.nsmallest(WORST, keep="first")
    rows = _rows_of(material.results, lowest.index)
    order = evidence.order(material.runs)[:BESIDE]
    binary = _is_binary(material.results[f"{SCORE}{metric}"])
    examples = [
        Example(
            str(sample_id),
            f"mean {name(metric)} {_figure(mean, binary)}",
            _lowest_keys(rows[sample_id], order, metric),
        )
        for sample_id, mean in lowest.items()
    ]
    equal = int((means == means.min()).sum())
    floor = _figure(float(means.min()), binary)
    share = "1 sample has" if equal == 1 else f"{equal:,} samples share"
    intro = (
        f"{share} the lowest mean {name(metric)}, {floor}, of {len(means):,} samples; "
        f"here are the {len(lowest)} lowest, in the order of the dataset where equal."
    )
    cards = _cards(material, examples, metric)
    rest = _left_out_runs(len(material.runs))
    return Section("worst", title, [Line(intro), *rest, *cards])


def flipped_section(material: Material, evidence: Evidence) -> Section:
    """The samples in whose scores the two best runs differ."""
    title = "Flipped samples"
    if evidence.comparison is None:
        return _nothing("flipped", title, f"Nothing is compared: {evidence.unlike}.")
    metric = next(iter(evidence.boards), material.metric)
    sides = [f"{SCORE}{metric}_{side}" for side in ("baseline", "candidate")]
    flipped = evidence.comparison.flipped
    if metric is None or sides[0] not in flipped:
        return _nothing("flipped", title, "No answer of both runs was scored.")
    change = (flipped[sides[1]] - flipped[sides[0]]).astype("float64")
    blocks: list[Block] = []
    for better in (True, False):
        found = change[change > 0] if better else -change[change < 0]
        shown_rows = flipped.loc[found.nlargest(FLIPPED, keep="first").index]
        blocks += _direction(material, evidence, metric, shown_rows, len(found), better)
    if not blocks:
        told = f"No sample has another {name(metric)} in the two runs."
        return _nothing("flipped", title, told)
    return Section("flipped", title, blocks)


def _direction(
    material: Material,
    evidence: Evidence,
    metric: str,
    rows: pd.DataFrame,
    count: int,
    better: bool,
) -> list[Block]:
    if not count:
        return []
    candidate, baseline = (evidence.found[s] for s in ("candidate", "baseline"))
    word = "better" if better else "worse"
    who = [material.names[run] for run in (candidate, baseline)]
    title = f"{count:,} {word} with {who[0]} than with {who[1]}"
    examples = [
        Example(
            str(row["sample_id"]),
            "",
            [
                (run, str(row["sample_id"]), int(row["epoch"]))
                for run in (baseline, candidate)
            ],
        )
        for row in rows.to_dict("records")
    ]
    more = f", the first {len(examples)}" if count > len(examples) else ""
    return [Heading(f"{title}{more}"), *_cards(material, examples, metric)]


def _nothing(anchor: str, title: str, why: str) -> Section:
    return Section(anchor, title, [Line(shown(why), "muted")])


def _means(results: pd.DataFrame, metric: str) -> "pd.Series[float]":
    """The mean of each sample over the runs, of each run over its epochs."""
    scored = results[results[f"{SCORE}{metric}"].notna()]
    by_run = scored.groupby(["sample_id", "run_id"], sort=False, observed=True)
    means = by_run[f"{SCORE}{metric}"].mean()
    return means.groupby("sample_id", sort=False).mean()


def _rows_of(
    results: pd.DataFrame, sample_ids: Iterable[Any]
) -> Mapping[Any, pd.DataFrame]:
    rows = results[results["sample_id"].isin(list(sample_ids))]
    return dict(tuple(rows.groupby("sample_id", sort=False, observed=True)))


def _lowest_keys(rows: pd.DataFrame, order: Sequence[str], metric: str) -> list[Key]:
    """Of each run, the epoch with the lowest score; failed ones come last."""
    by_score = rows.sort_values(f"{SCORE}{metric}", kind="stable", na_position="last")
    first = by_score.drop_duplicates("run_id")[["run_id", "sample_id", "epoch"]]
    keys = {str(run): (str(run), str(s), int(e)) for run, s, e in first.to_numpy()}
    return [keys[run_id] for run_id in order if run_id in keys]


def _cards(material: Material, examples: Sequence[Example], metric: str) -> list[Card]:
    keys = [key for example in examples for key in example.keys]
    texts = material.experiment.excerpts(keys, longest=LONGEST)
    scores = _scores(material.results, keys, metric)
    binary = _is_binary(material.results[f"{SCORE}{metric}"])
    return [_card(material, one, texts, scores, metric, binary) for one in examples]


def _card(
    material: Material,
    example: Example,
    texts: Mapping[Key, Excerpt],
    scores: Mapping[Key, float],
    metric: str,
    binary: bool,
) -> Card:
    sample = material.experiment.sample(example.sample_id)
    said = [("input", sample.input_text), ("target", sample.target)]
    remarks = [example.remark, f"group {name(sample.group)}" if sample.group else ""]
    epochs = material.record.task["epochs"] > 1
    return Card(
        title=name(sample.id),
        remark=" · ".join(filter(None, remarks)),
        passages=[
            Passage(label, shown(text), left_out(text))
            for label, text in said
            if text is not None
        ],
        answers=[
            answer_of(
                material.names[key[0]] + (f", epoch {key[2]}" if epochs else ""),
                texts[key],
                verdict_of(scores.get(key), metric, binary),
                material.links.result(key),
            )
            for key in example.keys
            if key in texts
        ],
    )


def answer_of(
    who: str, excerpt: Excerpt, verdict: tuple[str, State], href: str
) -> Answer:
    """An answer with its verdict, or the error in its place; `href` leads to more."""
    note = "there is more of it" if excerpt.cut else ""
    if excerpt.error_type is not None:
        text = message(excerpt.text or "")
        failed = f"failed: {name(excerpt.error_type)}"
        return Answer(who, text, failed, "failed", note, href)
    if not excerpt.text:
        note = "the answer is empty"
    return Answer(who, shown(excerpt.text or ""), *verdict, note, href)


def verdict_of(score: float | None, metric: str, binary: bool) -> tuple[str, State]:
    """The score in words, and its mark."""
    if score is None:
        return f"{name(metric)} {figures.UNKNOWN}", ""
    if not binary:
        return f"{name(metric)} {score:.3g}", ""
    return ("right", "right") if score else ("wrong", "wrong")


def _scores(
    results: pd.DataFrame, keys: Iterable[Key], metric: str
) -> dict[Key, float]:
    wanted = {*keys}
    rows = results[results["sample_id"].isin({key[1] for key in wanted})]
    columns = ["run_id", "sample_id", "epoch", f"{SCORE}{metric}"]
    found = {}
    for run_id, sample_id, epoch, score in rows[columns].itertuples(index=False):
        key = (str(run_id), str(sample_id), int(epoch))
        if key in wanted and not pd.isna(score):
            found[key] = float(score)
    return found


def _is_binary(scores: "pd.Series[float]") -> bool:
    return bool(scores.dropna().isin((0, 1)).all())


def _figure(mean: float, binary: bool) -> str:
    return f"{100 * mean:.1f} %" if binary else f"{mean:.3g}"


def _left_out_runs(runs: int) -> list[Line]:
    if runs <= BESIDE:
        return []
    return [Line(f"Answers of {BESIDE} of the {runs:,} runs are shown.", "muted")]
