"""Many runs ranked: over what, with which intervals, ratings and ties."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from aistrale_lab.analysis.intervals import mean_interval
from aistrale_lab.analysis.leaderboard import Leaderboard, leaderboard
from aistrale_lab.analysis.metrics import score_metric
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.errors import ValidationError
from servers.results import results, run_record, several

SOLUTIONS = Path(__file__).parents[2].parent / "shared/data/gsm8k_model_solutions.jsonl"


def scored(**scores: Any) -> Leaderboard:
    """The leaderboard of models that all answered the same samples."""
    runs, frame = several({name: {"score_exact": s} for name, s in scores.items()})
    return leaderboard(frame, runs)


def test_the_best_run_stands_first_with_its_mean_and_interval() -> None:
    board = scored(weak=[0, 0, 1, 0], strong=[1, 1, 1, 0], middle=[1, 0, 1, 0])

    rows = board.to_df()

    assert list(rows["model"]) == ["openai/strong", "openai/middle", "openai/weak"]
    assert list(rows["run_id"]) == ["run-strong", "run-middle", "run-weak"]
    assert list(rows["mean"]) == [0.75, 0.5, 0.25]
    assert list(rows["n"]) == [4, 4, 4]
    expected = mean_interval([1, 1, 1, 0])
    best = rows.iloc[0]
    assert (best["ci_low"], best["ci_high"]) == (expected.low, expected.high)
    assert best["method"] == "wilson"


def test_only_what_all_runs_answered_counts_and_the_rest_is_told_by_reason() -> None:
    runs, frame = several(
        {
            "a": {
                "sample_id": ["1", "2", "3", "4", "5"],
                "score_exact": [1, 1, None, 0, 1],
                "error_type": [None, None, "ServerError", None, None],
            },
            "b": {
                "sample_id": ["5", "4", "3", "1"],
                "score_exact": [1, None, 1, 0],
            },
        }
    )

    board = leaderboard(frame, runs)

    assert board.n == 2
    assert board.dropped == {"missing": 1, "failed": 1, "unknown": 1}
    assert board.to_df()["mean"].tolist() == [1.0, 0.5]
    assert "1 of 5 of openai/a, 0 of 4 of openai/b" in board.warnings[0]
    told = board._repr_html_()
    assert "1 missing from a run, 1 failed in a run, 1 without a value" in told


def test_differences_are_those_of_the_higher_mean_with_paired_tests() -> None:
    draws = np.random.default_rng(5)
    scores = {name: draws.random(60) + shift for name, shift in zip("abc", (0, 0.2, 1))}

    pairs = scored(**scores).pairs_df()

    sides = list(zip(pairs["candidate"], pairs["baseline"]))
    ranked = ["openai/c", "openai/b", "openai/a"]
    assert sides == [(ranked[0], ranked[1]), (ranked[0], ranked[2]), tuple(ranked[1:])]
    expected = [
        stats.ttest_rel(scores[one[-1]], scores[other[-1]]) for one, other in sides
    ]
    assert list(pairs["p_value"]) == pytest.approx([t.pvalue for t in expected])
    holm = multipletests(pairs["p_value"], method="holm")[1]
    assert list(pairs["p_holm"]) == pytest.approx(list(holm), abs=1e-12)
    assert (pairs["difference"] > 0).all()
    assert ((pairs["ci_low"] < pairs["difference"]) & pairs["ci_high"].notna()).all()
    alone = [t.confidence_interval().low for t in expected]
    assert (pairs["ci_low"] < alone).all()


def test_runs_that_cannot_be_told_from_the_best_are_tied_with_it() -> None:
    draws = np.random.default_rng(1)
    board = scored(
        worse=(draws.random(400) < 0.2).astype(float),
        good=(draws.random(400) < 0.8).astype(float),
        alike=(draws.random(400) < 0.8).astype(float),
    )

    assert set(board.tied) == {"openai/good", "openai/alike"}
    assert board.to_df()["tied_with_best"].tolist() == [True, True, False]
    assert board.pairs_df()["tied"].tolist() == [True, False, False]
    assert "is tied with" in board.verdict
    assert board.verdict in repr(board)


def test_equal_runs_keep_their_order_and_are_tied() -> None:
    board = scored(first=[1, 0, 1], second=[1, 0, 1])

    assert board.tied == ("openai/first", "openai/second")
    pair = board.pairs_df().iloc[0]
    assert (pair["difference"], pair["p_value"]) == (0, 1)
    assert not np.signbit(pair["difference"])
    assert board.to_df()["rating"].tolist() == [1000, 1000]


def test_a_rating_counts_the_samples_on_which_a_run_scores_higher() -> None:
    better = [1] * 30 + [0] * 10 + [1] * 20
    worse = [0] * 30 + [1] * 10 + [1] * 20

    rows = scored(better=better, worse=worse).to_df()

    # 30 wins, 10 losses, 20 ties as half a win to each: odds of 2 to 1.
    apart = rows["rating"][0] - rows["rating"][1]
    assert apart == pytest.approx(400 * np.log10(2), abs=1e-6)
    assert rows["rating_low"][0] < rows["rating"][0] < rows["rating_high"][0]


def test_who_always_wins_stands_above_the_ratings() -> None:
    rows = scored(top=[0.9, 0.8, 0.7], low=[0.1, 0.2, 0.1], mid=[0.1, 0.1, 0.2]).to_df()

    assert rows["rating_place"].tolist() == ["above", "rated", "rated"]
    assert rows["rating"].isna().tolist() == [True, False, False]


def test_epochs_of_a_sample_are_one_cluster() -> None:
    columns = {"sample_id": ["1", "1", "2", "2", "3", "3"], "epoch": [1, 2] * 3}
    runs, frame = several(
        {
            "a": {**columns, "score_exact": [1, 1, 0, 1, 1, 0]},
            "b": {**columns, "score_exact": [0, 1, 0, 0, 0, 0]},
        }
    )

    board = leaderboard(frame, runs)

    assert (board.clustered_by, board.n) == ("sample", 6)
    best = board.to_df().iloc[0]
    assert best["method"] == "clustered_t"
    own = frame[frame["run_id"] == "run-a"]
    alone = score_metric(own["score_exact"], own["sample_id"], own["group"])
    assert best["mean"] == pytest.approx(alone.value, abs=1e-12)


def test_each_group_has_its_own_means() -> None:
    columns = {"group": ["x", None, "y", "x", "y", None]}
    runs, frame = several(
        {
            "a": {**columns, "score_exact": [1, 0, 1, 0, 1, 1]},
            "b": {**columns, "score_exact": [0, 0, 1, 0, 1, 0]},
        }
    )

    board = leaderboard(frame, runs)

    rows = board.groups_df()
    assert board.clustered_by == "group"
    assert rows["group"].fillna("-").tolist() == ["x", "x", "y", "y", "-", "-"]
    assert rows["model"].tolist() == ["openai/a", "openai/b"] * 3
    assert rows["mean"].tolist() == [0.5, 0, 1, 1, 0.5, 0]
    assert rows["n"].tolist() == [2] * 6
    assert set(rows["method"]) == {"wilson"}


def test_without_groups_there_is_no_breakdown() -> None:
    rows = scored(a=[1, 0], b=[0, 1]).groups_df()

    assert rows.empty
    assert list(rows.columns)[:4] == ["group", "run_id", "model", "mean"]


def test_runs_of_one_model_are_named_by_their_parameters() -> None:
    runs = [
        run_record("m", 2, id=f"r{n}", params={"temperature": t})
        for n, t in enumerate((0, 1, 1))
    ]
    frames = [
        results(2, run_id=[run.id] * 2, score_exact=scores)
        for run, scores in zip(runs, ([1, 1], [1, 0], [0, 0]))
    ]

    rows = leaderboard(pd.concat(frames, ignore_index=True), runs).to_df()

    assert rows["model"].tolist() == [
        "openai/m (temperature=0)",
        "openai/m (temperature=1) r1",
        "openai/m (temperature=1) r2",
    ]


def test_the_first_scorer_is_the_metric_unless_one_is_named() -> None:
    runs, frame = several(
        {
            "a": {"score_exact": [1, 1], "score_number": [0, 0]},
            "b": {"score_exact": [0, 0], "score_number": [1, 1]},
        }
    )

    assert leaderboard(frame, runs).metric == "exact"
    assert leaderboard(frame, runs, "number").tied[0] == "openai/b"
    with pytest.raises(ValidationError, match="'speed'; there are exact, number"):
        leaderboard(frame, runs, "speed")


def test_runs_without_a_scorer_have_no_leaderboard() -> None:
    runs, frame = several({"a": {"output": ["x"]}, "b": {"output": ["y"]}})

    with pytest.raises(ValidationError, match="no scorer"):
        leaderboard(frame, runs)
    with pytest.raises(ValidationError, match="the runs have no scorer"):
        leaderboard(frame, runs, "exact")


def test_one_run_makes_no_leaderboard() -> None:
    runs, frame = several({"a": {"score_exact": [1]}})

    with pytest.raises(ValidationError, match="two or more runs"):
        leaderboard(frame, runs)
    with pytest.raises(ValidationError, match="given twice"):
        leaderboard(frame, runs * 2)


def test_runs_that_share_nothing_are_refused_with_the_reasons() -> None:
    runs, frame = several(
        {
            "a": {"sample_id": ["1"], "score_exact": [1]},
            "b": {"sample_id": ["2"], "score_exact": [1]},
        }
    )

    with pytest.raises(ValidationError, match="2 missing from a run"):
        leaderboard(frame, runs)


def test_a_sample_that_stands_twice_in_a_run_is_refused() -> None:
    runs, frame = several(
        {
            "a": {"sample_id": ["1", "1"], "score_exact": [1, 0]},
            "b": {"sample_id": ["1", "2"], "score_exact": [1, 0]},
        }
    )

    with pytest.raises(ValidationError, match="several results"):
        leaderboard(frame, runs)


def test_a_run_without_any_answer_stands_last_and_spoils_nothing() -> None:
    runs, frame = several(
        {
            "dead": {"score_exact": [None, None], "error_type": ["QuotaError"] * 2},
            "a": {"score_exact": [1, 0]},
            "b": {"score_exact": [1, 1]},
        }
    )

    board = leaderboard(frame, runs)

    rows = board.to_df()
    assert rows["model"].tolist() == ["openai/b", "openai/a", "openai/dead"]
    assert rows["n"].tolist() == [2, 2, 0]
    assert pd.isna(rows["mean"][2]) and pd.isna(rows["tied_with_best"][2])
    assert "2 of 2 of openai/dead" in board.warnings[0]


def test_unfinished_runs_and_several_experiments_are_warnings() -> None:
    runs, frame = several(
        {"a": {"score_exact": [1, 0]}, "b": {"score_exact": [1, 1]}},
        status=RunStatus.INTERRUPTED,
        planned=9,
    )
    runs[1] = runs[1].model_copy(update={"experiment_id": "e2"})

    told = leaderboard(frame, runs).warnings

    assert told[0] == "openai/a is interrupted: 2 of 9"
    assert "2 experiments" in told[2]


def test_what_models_are_called_is_escaped() -> None:
    board = scored(**{"<img src=x>": [1, 0], "b": [0, 0]})

    assert "<img" not in board._repr_html_()
    assert "openai/&lt;img src=x&gt; is" in board._repr_html_()


@pytest.mark.skipif(not SOLUTIONS.exists(), reason="needs the shared data sets")
def test_real_answers_leave_no_model_tied_with_the_best() -> None:
    lines = [json.loads(line) for line in SOLUTIONS.read_text("utf-8").splitlines()]
    names = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
    scores = {
        name: np.array([line[name]["is_correct"] for line in lines], float)
        for name in names
    }

    board = scored(**scores)

    assert board.verdict == (
        "openai/175b_verification is best in exact; no other run is tied with it"
    )
    rows, pairs = board.to_df(), board.pairs_df()
    assert rows["n"].tolist() == [1_319] * 4
    rights = (rows["mean"] * 1_319).round().astype(int).tolist()
    assert rights == [int(scores[name].sum()) for name in (*names[::-2], *names[2::-2])]
    assert rights[1:3] == [515, 458]
    close = pairs[pairs["baseline"] == "openai/175b_finetuning"].iloc[1]
    tested = stats.ttest_rel(scores["6b_verification"], scores["175b_finetuning"])
    assert close["p_value"] == pytest.approx(tested.pvalue, abs=1e-9)
    assert close["p_holm"] == pytest.approx(tested.pvalue, abs=1e-9)
    assert not pairs["tied"].any()


def test_a_million_results_take_seconds() -> None:
    draws = np.random.default_rng(0)
    ids = [str(place) for place in range(250_000)]
    columns = {
        f"m{n}": {"sample_id": ids, "score_x": (draws.random(250_000) < p) * 1.0}
        for n, p in enumerate((0.5, 0.501, 0.52, 0.7))
    }
    runs, frame = several(columns)
    before = time.process_time()

    board = leaderboard(frame, runs)

    assert board.n == 250_000
    assert time.process_time() - before < 10
