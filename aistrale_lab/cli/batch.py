"""`batch`: a notebook at every point of a grid, judged by what the store says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aistrale_lab.analysis.gates import Gate
from aistrale_lab.analysis.tables import Column, summary_columns
from aistrale_lab.batch import Batch, start
from aistrale_lab.batch.grid import BatchFile, load_file
from aistrale_lab.batch.junit import junit_xml
from aistrale_lab.batch.outcome import Finding
from aistrale_lab.batch.output import write_whole
from aistrale_lab.batch.parameters import (
    help_lines,
    load_notebook,
    read_parameters,
)
from aistrale_lab.batch.start import FILES, notebook_of
from aistrale_lab.cli.exits import Exit, code_of, complain, explain, worst
from aistrale_lab.cli.interrupt import Interrupts
from aistrale_lab.cli.options import Showing
from aistrale_lab.cli.output import emit, emit_json
from aistrale_lab.cli.run import follow
from aistrale_lab.cli.showing import open_lab, show_columns
from aistrale_lab.errors import StoreError
from aistrale_lab.terminal import note

IMPATIENT = 12.0
"""Seconds after a signal until kernels that do not stop are ended."""

LAST = 20.0
"""Seconds after a signal until the command leaves, whatever it waits for."""

AGAIN = "the same command again sends only what is missing"


def help_parameters(given: Path) -> Exit:
    """Print what a notebook can be told: names, types, defaults, help."""
    asked = load_file(given) if given.suffix in FILES else BatchFile()
    path = notebook_of(given, asked)
    known = read_parameters(load_notebook(path), path)
    emit("\n".join([f"parameters of {path.name}:", *help_lines(known)]) + "\n")
    return Exit.DONE


def batch(
    notebook: Path,
    showing: Showing,
    *,
    words: Sequence[str],
    out: Path,
    jobs: int,
    require: Sequence[str],
    junit: Path | None,
    name: str | None,
    fresh: bool,
    pages: bool,
) -> Exit:
    """Execute what is missing, report on all points, and hold the gates against them."""
    gates = [Gate.parse(text) for text in require]
    with (
        Interrupts(impatient=IMPATIENT, last=LAST) as interrupts,
        open_lab(showing) as lab,
    ):
        handle = start(
            lab,
            notebook,
            words=words,
            out=out,
            jobs=jobs,
            name=name,
            fresh=fresh,
            pages=pages,
        )
        interrupts.watch(handle, again=AGAIN)
        fault = follow(handle, interrupts, quiet=showing.quiet)
        interrupts.calm()
        if (index := handle.so_far().index) is not None and not showing.quiet:
            note(f"the index of the batch is {index}")
        codes = {interrupts.code or Exit.DONE}
        if fault is not None:
            complain(explain(fault))
            codes.add(code_of(fault))
        try:
            return worst(codes | _report(handle.so_far(), showing, gates, junit))
        except (StoreError, OSError) as error:
            complain(explain(error))
            return worst(codes | {code_of(error)})


def _report(
    found: Batch, showing: Showing, gates: Sequence[Gate], junit: Path | None
) -> set[Exit]:
    """The table or the JSON object, what is missing, and which gates are not met."""
    objects = found.objects()
    findings = found.check(gates)
    if junit is not None:
        write_whole(junit, junit_xml(found.record.name, objects, findings))
    if showing.json:
        emit_json(_object(found, objects, findings))
    else:
        show_columns(_columns(objects))
    codes = {_explain(objects), _explain_gates(findings)}
    if not showing.quiet and Exit.FAILED in codes:
        note(f"to go on: {AGAIN}")
    return codes


def _object(
    found: Batch, objects: Sequence[dict[str, Any]], findings: Sequence[Finding]
) -> dict[str, Any]:
    return {
        "batch_id": found.id,
        "name": found.record.name,
        "store": found.store_url,
        "out": str(found.out),
        "index": str(found.index) if found.index else None,
        "experiment_ids": [experiment.id for experiment in found.experiments],
        "points": list(objects),
        "gates": [
            {
                "gate": str(one.gate),
                "point": one.point,
                "model": one.model,
                "met": one.met,
                "value": one.value,
                "ci_low": one.low,
                "ci_high": one.high,
            }
            for one in findings
        ],
    }


def _columns(objects: Sequence[dict[str, Any]]) -> list[Column]:
    """One row a run, the point in front; points without runs are told in words."""
    rows = [(one["name"], run) for one in objects for run in one["runs"]]
    points = Column("point", [name for name, _ in rows], numeric=False)
    return [points, *summary_columns([{**run, "params": {}} for _, run in rows])]


def _explain(objects: Sequence[dict[str, Any]]) -> Exit:
    """Say which points and samples are missing; returns FAILED if any are."""
    told = []
    for one in objects:
        if one["status"] != "completed":
            reason = f": {one['reason']}" if one["reason"] else ""
            told.append(f"{one['name']}: {one['status']}{reason}")
        for run in one["runs"]:
            if run["failed"]:
                kinds = ", ".join(f"{kind} {n:,}" for kind, n in run["errors"].items())
                told.append(
                    f"{one['name']}: {run['failed']:,} of {run['samples']:,} samples "
                    f"failed ({kinds or 'not sent'})"
                )
    for line in told:
        note(line)
    return Exit.FAILED if told else Exit.DONE


def _explain_gates(findings: Sequence[Finding]) -> Exit:
    unmet = [finding for finding in findings if not finding.met]
    for finding in unmet:
        note(f"the gate is not met: {finding}")
    return Exit.GATE if unmet else Exit.DONE
