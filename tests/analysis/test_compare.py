"""Two runs side by side: which pairs, which figures, which warnings."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from aistrale_lab.analysis.compare import compare
from aistrale_lab.analysis.compare_tables import speed_verdict
from aistrale_lab.analysis.summary import compare_object
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.errors import NotFoundError, ValidationError
from servers.results import experiment_record, side

SOLUTIONS = Path(__file__).parents[2].parent / "shared/data/gsm8k_model_solutions.jsonl"


def test_differences_are_candidate_minus_baseline() -> None:
    before = side("a", {"score_exact": [0, 1, 0, 1], "cost_usd": [2.0, 2, 2, 2]})
    after = side("b", {"score_exact": [1, 1, 1, 1], "cost_usd": [0.5, 0.5, 1, 1]})

    found = compare(before, after)

    exact = found.metric("exact")
    assert (exact.baseline, exact.candidate) == (0.5, 1.0)
    assert exact.paired.difference == 0.5
    assert (exact.paired.wins, exact.paired.losses, exact.paired.ties) == (2, 0, 2)
    assert found.cost_ratio == 0.375
    assert found.metric("cost_usd").paired.difference == -1.25
    assert list(found.flipped["sample_id"]) == ["0", "2"]
    assert found.warnings == ()


def test_pairs_are_found_by_sample_and_epoch_in_whatever_order() -> None:
    before = side(
        "a",
        {"sample_id": ["x", "y", "x"], "epoch": [1, 1, 2], "score_exact": [0, 1, 1]},
    )
    after = side(
        "b",
        {"sample_id": ["y", "x", "x"], "epoch": [1, 2, 1], "score_exact": [1, 1, 0]},
    )

    found = compare(before, after)

    assert found.pairs == 3
    assert found.metric("exact").paired.ties == 3
    assert found.clustered_by == "sample"


def test_what_has_no_pair_is_counted_by_its_reason() -> None:
    failed = "RateLimitError"
    before = side(
        "a",
        {
            "sample_id": ["1", "2", "3", "4", "only a"],
            "error_type": [None, failed, None, failed, None],
            "score_exact": [1, None, 1, None, 1],
        },
    )
    after = side(
        "b",
        {
            "sample_id": ["1", "2", "3", "4", "only b"],
            "error_type": [None, None, failed, failed, None],
            "score_exact": [0, 1, None, None, 1],
        },
    )

    found = compare(before, after)

    assert found.pairs == 1
    assert found.dropped == {
        "missing_baseline": 1,
        "missing_candidate": 1,
        "failed_baseline": 1,
        "failed_candidate": 1,
        "failed_both": 1,
    }
    exact = found.metric("exact")
    assert exact.paired.n == 1
    assert exact.if_failed_wrong == pytest.approx((0 - 1 + 1 - 0 + 0 - 1 + 0) / 4)


def test_other_error_rates_are_a_warning() -> None:
    before = side("a", {"score_exact": [1, 0, 1]})
    after = side(
        "b", {"score_exact": [1, 1, None], "error_type": [None, None, "ServerError"]}
    )

    (warning,) = compare(before, after).warnings

    assert "0 of 3 of the baseline, 1 of 3 of the candidate" in warning


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (experiment_record(dataset="d2"), "another dataset"),
        (experiment_record(prompt="Say {{ input }}"), "another prompt"),
        (experiment_record("d2", "Say"), "another dataset and another prompt"),
    ],
)
def test_other_questions_are_not_paired_unless_told(asked: Any, reason: str) -> None:
    before = side("a", {"score_exact": [1, 0]})
    after = side("b", {"score_exact": [1, 1]}, asked=asked)

    with pytest.raises(ValidationError, match=reason):
        compare(before, after)

    assert reason in compare(before, after, anyway=True).warnings[0]


def test_runs_without_a_common_sample_are_refused() -> None:
    before = side("a", {"sample_id": ["1"], "score_exact": [1]})
    after = side("b", {"sample_id": ["2"], "score_exact": [1]})

    with pytest.raises(ValidationError, match="share no sample"):
        compare(before, after)


def test_mixed_models_and_unfinished_runs_are_warnings() -> None:
    scores = {"score_exact": [1, 0]}
    before = side("a", scores, status=RunStatus.INTERRUPTED, planned=9)
    after = side("b", {**scores, "response_model": ["m-1", "m-2"]})

    told = "; ".join(compare(before, after).warnings)

    assert "the baseline is interrupted: 2 of 9" in told
    assert "the candidate's answers came from several models: m-1, m-2" in told


def test_mixed_back_ends_are_a_warning() -> None:
    scores = {"score_exact": [1, 0]}

    found = compare(
        side("a", scores), side("b", scores), fingerprints=(["fp_1"], ["fp_1", "fp_2"])
    )

    (warning,) = found.warnings
    assert "the candidate's answers came from several back ends" in warning
    assert "fp_1, fp_2" in warning


def test_groups_that_repeat_widen_the_interval() -> None:
    draws = np.random.default_rng(3)
    groups = np.repeat([f"g{place}" for place in range(20)], 10)
    effect = np.repeat(draws.random(20) < 0.5, 10).astype(float)
    before = side("a", {"group": groups, "score_exact": np.zeros(200)})
    after = side("b", {"group": groups, "score_exact": effect})

    clustered = compare(before, after)
    alone = compare(
        side("a", {"score_exact": np.zeros(200)}), side("b", {"score_exact": effect})
    )

    assert clustered.clustered_by == "group"
    assert clustered.metric("exact").paired.method == "clustered_t"
    widths = [
        found.metric("exact").paired.high - found.metric("exact").paired.low
        for found in (clustered, alone)
    ]
    assert widths[0] > 2 * widths[1]


def test_a_missing_group_is_a_group_of_its_own() -> None:
    columns = {"group": ["a", "a", None, None], "score_exact": [0.0, 1, 0, 1]}

    found = compare(side("a", columns), side("b", columns))

    assert found.metric("exact").paired.n == 4


def test_unknown_costs_and_times_stay_unknown() -> None:
    found = compare(side("a", {"score_exact": [1]}), side("b", {"score_exact": [0]}))

    assert found.cost_ratio is None
    assert found.metric("duration_s").paired.n == 0
    assert found.metric("duration_s").baseline is None
    with pytest.raises(NotFoundError, match="exact, duration_s"):
        found.metric("speed")


def test_costs_of_nothing_are_no_verdicts() -> None:
    columns = {"score_exact": [1, 0, 1], "cost_usd": [0.0, 0.0, 0.0]}

    cost = compare(side("a", columns), side("b", columns)).metric("cost_usd")

    assert (cost.is_binary, cost.paired.low, cost.paired.high) == (False, 0.0, 0.0)


def test_the_object_has_the_contracts_names() -> None:
    found = compare_object(
        compare(side("a", {"score_exact": [1, 0]}), side("b", {"score_exact": [1, 1]}))
    )

    contract = {"baseline", "candidate", "pairs", "dropped", "metrics"}
    metric = {"difference", "ci_low", "ci_high", "n", "method"}
    metric |= {"wins", "losses", "ties", "tests"}
    assert contract <= set(found)
    assert metric <= set(found["metrics"]["exact"])
    assert found["metrics"]["exact"]["tests"]["mcnemar"]["p_value"] == 1.0
    json.dumps(found, allow_nan=False)


@pytest.mark.skipif(not SOLUTIONS.exists(), reason="needs the shared data sets")
def test_real_answers_agree_with_statsmodels_and_scipy() -> None:
    lines = [json.loads(line) for line in SOLUTIONS.read_text("utf-8").splitlines()]
    before = np.array([_is_right(line, "6b_verification") for line in lines], float)
    after = np.array([_is_right(line, "175b_finetuning") for line in lines], float)

    found = compare(
        side("6b_verification", {"score_number": before}),
        side("175b_finetuning", {"score_number": after}),
    ).metric("number")

    assert (before.sum(), after.sum(), len(before)) == (515, 458, 1_319)
    paired = found.paired
    wins, losses = int((after > before).sum()), int((after < before).sum())
    table = [[0, losses], [wins, 0]]
    assert (paired.wins, paired.losses, paired.n) == (wins, losses, 1_319)
    assert paired.difference == pytest.approx((458 - 515) / 1_319, abs=1e-12)
    exact = mcnemar(table, exact=True).pvalue
    assert paired.tests.mcnemar == pytest.approx(exact, abs=1e-9)
    wilcoxon = stats.wilcoxon(after - before).pvalue
    assert paired.tests.wilcoxon == pytest.approx(wilcoxon, abs=1e-9)
    expected = stats.ttest_1samp(after - before, 0).confidence_interval()
    assert (paired.low, paired.high) == pytest.approx(tuple(expected), abs=1e-9)


def _is_right(line: dict[str, Any], name: str) -> bool:
    return bool(line[name]["is_correct"])


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_who_answers_sooner_is_told_with_the_shorter_time_first(factor: float) -> None:
    times = [1.0, 1.1, 0.9, 1.2, 1.0, 0.8]
    before = side("before", {"duration_s": times})
    after = side("after", {"duration_s": [factor * time for time in times]})

    told = speed_verdict(compare_object(compare(before, after)))

    sooner = "openai/after" if factor < 1 else "openai/before"
    times_told = "0.50 s against 1.00 s" if factor < 1 else "1.00 s against 2.00 s"
    assert told.startswith(f"{sooner} answers sooner: {times_told}")


def test_latencies_that_cannot_be_told_apart_are_told_with_their_interval() -> None:
    before = side("before", {"duration_s": [1.0, 1.1, 0.9, 1.2, 1.0, 0.8]})
    after = side("after", {"duration_s": [1.1, 1.0, 1.0, 1.1, 0.9, 0.9]})

    told = speed_verdict(compare_object(compare(before, after)))

    between = "openai/after and openai/before cannot be told apart on latency: "
    assert told.startswith(between)
    low, high = told.partition("[")[2].removesuffix("]").split(", ")
    assert float(low) < 0 < float(high)
