"""Telemetry by the standard variables: to a collector, to none, without the extra."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from servers.collector import Collector

import aistrale_lab as lab
from aistrale_lab.errors import ConfigError

HEADER = "hunter2-hunter2"

ASK = (
    "import aistrale_lab as lab\n"
    "with lab.Lab.open('sqlite:///s.db') as bench:\n"
    "    print(lab.wait(bench.ask, 'openai/large', 'What is 2 + 2?').text)\n"
)


def threads_of_otel() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("Otel")]


async def test_a_collector_has_every_span_and_metric_when_the_bench_is_closed(
    environment: None,
    store_url: str,
    task: lab.Task,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-team={HEADER}")
        with lab.Lab.open(store_url) as bench:
            await bench.run(task, models=["openai/large"])
            assert threads_of_otel()
            assert HEADER in bench.secrets

        assert not threads_of_otel()

    names = sorted(span.name for span in collector.spans)
    assert names == ["chat large"] * 20 + ["experiment", "run openai/large"]
    assert collector.services == {"aistrale-lab"}
    assert collector.metric_names == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.token.usage",
    }
    assert {sent["x-team"] for sent in collector.headers} == {HEADER}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
            "OTEL_SDK_DISABLED": "true",
        },
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
    ],
)
def test_it_is_off_unless_it_is_switched_on(
    environment: None,
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with lab.Lab.open(store_url) as bench:
        assert bench.telemetry is None
        assert not threads_of_otel()


HERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
OF_TRACES = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
OF_METRICS = "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({**HERE, PROTOCOL: "grpc"}, PROTOCOL),
        ({**HERE, OF_TRACES: "http/json"}, OF_TRACES),
        ({"OTEL_METRICS_EXPORTER": "otlp", OF_METRICS: "grpc"}, OF_METRICS),
    ],
)
def test_a_protocol_that_is_not_spoken_is_refused_before_a_store_is_made(
    environment: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    named: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError, match=f"{named}: .* possible: http/protobuf"):
        lab.Lab.open(f"sqlite:///{tmp_path}/s.db")

    assert not (tmp_path / "s.db").exists()


@pytest.mark.parametrize(
    "variables",
    [
        {**HERE, PROTOCOL: "grpc", "OTEL_SDK_DISABLED": "true"},
        {PROTOCOL: "grpc", "OTEL_TRACES_EXPORTER": "none"},
        {
            **HERE,
            PROTOCOL: "grpc",
            OF_TRACES: "http/protobuf",
            "OTEL_METRICS_EXPORTER": "none",
        },
    ],
)
def test_a_protocol_by_which_nothing_is_sent_does_not_matter(
    environment: None,
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with lab.Lab.open(store_url) as bench:
        assert (bench.telemetry is None) == (OF_TRACES not in variables)


async def test_a_collector_that_is_away_is_told_once_and_breaks_nothing(
    environment: None,
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")

    with lab.Lab.open(store_url) as bench:
        answer = await bench.ask("openai/large", "What is 2 + 2?")

    assert answer.text == "4"
    assert not threads_of_otel()
    assert capsys.readouterr().err.count("telemetry is not exported") == 1


def test_without_the_extra_it_is_told_once_and_the_answer_comes(
    environment: None, tmp_path: Path
) -> None:
    """The package is hidden from the program by a finder that knows it not."""
    hiding = (
        "import sys, importlib.machinery as m\n"
        "find = m.PathFinder.find_spec\n"
        "m.PathFinder.find_spec = classmethod(lambda cls, name, *rest: "
        "None if name == 'opentelemetry' else find(name, *rest))\n"
    )
    (tmp_path / "sitecustomize.py").write_text(hiding)

    ended = subprocess.run(
        [sys.executable, "-c", ASK],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "OTEL_TRACES_EXPORTER": "otlp",
        },
        timeout=110,
    )

    assert (ended.returncode, ended.stdout) == (0, "4\n"), ended.stderr
    assert ended.stderr.count("aistrale-lab[otel]") == 1
    assert len(ended.stderr.splitlines()) == 1


def test_an_unknown_exporter_is_named(
    environment: None,
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")

    with lab.Lab.open(store_url) as bench:
        assert bench.telemetry is None

    assert "not exported to zipkin" in capsys.readouterr().err
