"""`compare`: is the candidate better than the baseline, and how sure is that?"""

from collections.abc import Sequence

from aistrale_lab.analysis.gates import Gate
from aistrale_lab.analysis.summary import compare_object
from aistrale_lab.analysis.compare_tables import (
    compare_columns,
    dropped_lines,
    verdicts,
)
from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.options import Showing
from aistrale_lab.cli.output import emit, emit_json
from aistrale_lab.cli.showing import check_named, open_lab, show_columns
from aistrale_lab.logs import visible
from aistrale_lab.terminal import note


def compare(
    baseline: str,
    candidate: str,
    showing: Showing,
    *,
    require: Sequence[str],
    anyway: bool,
) -> Exit:
    """Compare two runs of the same samples; a gate that is not met is exit code 1."""
    gates = [Gate.parse(text) for text in require]
    check_named(baseline)
    check_named(candidate)
    with open_lab(showing) as lab:
        comparison = lab.compare(baseline, candidate, anyway=anyway)
    unmet = [gate for gate in gates if not gate.is_met(comparison)]
    found = compare_object(comparison)
    if showing.json:
        gated = [{"gate": str(gate), "met": gate not in unmet} for gate in gates]
        emit_json(found | ({"gates": gated} if gates else {}))
    else:
        emit(f"baseline   {visible(comparison.baseline.model)}  {found['baseline']}\n")
        emit(
            f"candidate  {visible(comparison.candidate.model)}  {found['candidate']}\n"
        )
        emit("\n")
        show_columns(compare_columns(found))
        emit("".join(f"\n{visible(line)}" for line in verdicts(found)) + "\n")
    if not showing.quiet:
        for line in [*dropped_lines(found["dropped"]), *found["warnings"]]:
            note(visible(line))
    for gate in unmet:
        note(f"the gate {gate} is not met")
    return Exit.GATE if unmet else Exit.DONE
