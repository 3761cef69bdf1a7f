"""The tables: everything a reader needs, nothing cut, nothing that moves a cursor."""

from collections.abc import Callable
from typing import Any

import pytest

from aistrale_lab.cli.output import emit_blocks, emit_json, emit_table
from aistrale_lab.analysis.tables import Column, list_columns, summary_columns
from aistrale_lab.cli.tables import make_blocks, make_table

MakeRun = Callable[..., dict[str, Any]]
LONG = "huggingface/" + "a-very-long-organisation/" + "n" * 160


def printed(columns: list[Column], capsys: pytest.CaptureFixture[str]) -> list[str]:
    emit_table(make_table(columns), make_blocks(columns))
    return capsys.readouterr().out.splitlines()


def shown(columns: list[Column]) -> dict[str, str]:
    """The first row, by heading; of two equal headings the first."""
    row: dict[str, str] = {}
    for column in columns:
        row.setdefault(column.label, column.cells[0])
    return row


def test_a_row_says_how_good_how_sure_how_many_and_how_fast(make_run: MakeRun) -> None:
    row = shown(summary_columns([make_run()]))

    assert row == {
        "model": "openai/gpt-5-mini",
        "number": "90.0 %",
        "95 % interval": "[85.1, 93.4]",
        "n/N": "200/200",
        "failed": "0",
        "tokens in": "12,345",
        "tokens out": "678",
        "TTFT p50 ms": "210",
        "latency p50 s": "0.80",
        "latency p95 s": "1.90",
        "tokens per s": "85.1",
        "cost": "$0.012",
    }


def test_what_is_unknown_is_a_dash(make_run: MakeRun) -> None:
    never = {"p50": None, "p95": None, "p99": None}
    run = make_run(
        metrics={
            "number": {
                "value": None,
                "ci_low": None,
                "ci_high": None,
                "n": 0,
                "method": "wilson",
            }
        },
        usage={"input_tokens": None, "output_tokens": None, "unknown": 0},
        cost_usd=None,
        latency={"duration_s": never, "time_to_first_token_s": never},
        tokens_per_s=None,
    )

    row = shown(summary_columns([run]))

    dashes = [name for name, cell in row.items() if cell == "–"]
    assert dashes == [
        "number",
        "tokens in",
        "tokens out",
        "TTFT p50 ms",
        "latency p50 ms",
        "latency p95 ms",
        "tokens per s",
        "cost",
    ]


def test_sums_with_unknown_parts_are_lower_bounds(make_run: MakeRun) -> None:
    usage = {"input_tokens": 10, "output_tokens": 5, "unknown": 3}

    row = shown(summary_columns([make_run(usage=usage)]))

    assert (row["tokens in"], row["cost"]) == ("≥ 10", "≥ $0.012")


def test_the_status_is_shown_once_it_matters(make_run: MakeRun) -> None:
    runs = [make_run(), make_run(status="failed", failed=200, completed=0)]

    columns = {column.label: list(column.cells) for column in summary_columns(runs)}

    assert columns["status"] == ["completed", "failed"]
    assert columns["failed"] == ["0", "200"]


def test_scorers_with_different_counts_have_their_own_n(make_run: MakeRun) -> None:
    metric = {"value": 0.5, "ci_low": 0.4, "ci_high": 0.6, "method": "t"}
    run = make_run(metrics={"f1": {**metric, "n": 200}, "chrf": {**metric, "n": 190}})

    labels = [(c.label, c.cells[0]) for c in summary_columns([run])][1:7]

    assert labels == [
        ("f1", "0.50"),
        ("95 % interval", "[0.40, 0.60]"),
        ("n/N", "200/200"),
        ("chrf", "0.50"),
        ("95 % interval", "[0.40, 0.60]"),
        ("n/N", "190/200"),
    ]


def test_without_scorers_the_answers_are_counted(make_run: MakeRun) -> None:
    row = shown(summary_columns([make_run(metrics={}, completed=198, failed=2)]))

    assert row["n/N"] == "198/200"


def test_swept_parameters_have_columns(make_run: MakeRun) -> None:
    runs = [make_run(params={"temperature": 0}), make_run(params={"temperature": 0.7})]

    columns = {column.label: list(column.cells) for column in summary_columns(runs)}

    assert columns["temperature"] == ["0", "0.7"]


def test_names_are_never_cut_when_piped(
    make_run: MakeRun,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "40")

    lines = printed(summary_columns([make_run(), make_run(model=LONG)]), capsys)

    assert sum(LONG in line for line in lines) == 1
    assert sum("openai/gpt-5-mini" in line for line in lines) == 1
    assert all(line.rstrip().endswith("$0.012") for line in lines[-2:])


def test_numbers_stand_below_each_other(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = {"input_tokens": 5, "output_tokens": 5, "unknown": 0}
    runs = [make_run(), make_run(usage=usage)]

    lines = [
        line for line in printed(summary_columns(runs), capsys) if "openai" in line
    ]

    assert lines[0].index("12,345") + len("12,345") == lines[1].index(" 5 ") + 2


def test_what_a_provider_named_itself_cannot_move_the_cursor(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["\x1b]52;c;ZXZpbA==\x07", "\x1b[2J", "safe\u202egpj.exe", "[red]x[/red]"]

    text = "".join(printed(summary_columns([make_run(model=n) for n in names]), capsys))

    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "[red]x[/red]" in text
    assert "safe\\u202egpj.exe" in text


def test_the_list_of_runs_has_ids_that_can_be_copied(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(
        experiment_id="02", name="arithmetic", created_at="2026-01-02T03:04:05+00:00"
    )

    lines = printed(list_columns([run]), capsys)

    assert {"01", "02", "arithmetic", "completed", "200/200"} <= set(lines[-1].split())


def test_blocks_hold_the_same_as_the_table(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    emit_blocks(make_blocks(summary_columns([make_run(model=LONG)])))

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == LONG
    assert "  TTFT p50 ms    210" in lines


def test_json_refuses_what_is_no_json() -> None:
    with pytest.raises(ValueError):
        emit_json({"value": float("nan")})
