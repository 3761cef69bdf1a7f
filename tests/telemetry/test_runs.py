"""Runs under their experiment, and lines of the log that bear their ids."""

import json

from servers.observed import Observed
from servers.recorded import RecordedServer

import aistrale_lab as lab


async def test_calls_stand_under_their_run_and_runs_under_their_experiment(
    seen: Observed, task: lab.Task
) -> None:
    models = ["openai/large", "openai/small"]

    experiment = await seen.bench.run(task, models=models, name="doubles")

    (top,) = seen.spans_named("experiment")
    runs = {m: seen.spans_named(f"run {m}")[0] for m in models}
    calls = seen.spans_named("chat large")
    assert top.parent is None
    assert (top.attributes or {})["aistrale.experiment.id"] == experiment.id
    assert {run.parent.span_id for run in runs.values() if run.parent} == {
        top.context.span_id
    }
    assert {call.parent.span_id for call in calls if call.parent} == {
        runs["openai/large"].context.span_id
    }
    assert len(calls) == 20
    assert {span.context.trace_id for span in seen.spans} == {top.context.trace_id}
    told = dict(runs["openai/large"].attributes or {})
    assert told["aistrale.run.status"] == "completed"
    assert (told["aistrale.run.samples"], told["aistrale.run.failed"]) == (20, 0)


async def test_recorded_answers_are_no_calls(
    seen: Observed, task: lab.Task, server: RecordedServer
) -> None:
    first = await seen.bench.run(task, models=["openai/large"])
    before = len(seen.spans_named("chat large"))

    await seen.bench.run(task, models=[f"replay/{first.runs[0].id}"])

    assert server.calls.total() == 20
    assert len([s for s in seen.spans if s.name.startswith("chat ")]) == before == 20


async def test_lines_of_the_log_bear_the_ids_of_their_span(
    seen: Observed, task: lab.Task
) -> None:
    await seen.bench.run(task, models=["openai/unknown"])

    lines = [json.loads(line) for line in seen.log_path.read_text().splitlines()]
    failed = next(line for line in lines if line["event"] == "sample_failed")
    ended = next(line for line in lines if line["event"] == "run_ended")
    (run,) = seen.spans_named("run openai/unknown")
    (top,) = seen.spans_named("experiment")
    assert failed["trace_id"] == f"{run.context.trace_id:032x}"
    assert failed["span_id"] == f"{run.context.span_id:016x}"
    assert ended["span_id"] == f"{top.context.span_id:016x}"
    assert (run.attributes or {})["aistrale.run.status"] == "failed"
