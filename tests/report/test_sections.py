"""What a report says of an experiment, section by section."""

import getpass
import re
import socket

import pytest
from servers.recorded import RecordedServer
from servers.reports import read_report

import aistrale_lab as lab
from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.lab.experiment import Experiment

BOTH = ["openai/small", "openai/large"]

ORDER = [
    *("", "Findings", "What was asked", "Results", "Leaderboard", "Comparison"),
    *("Speed", "Cost", "Worst samples", "Flipped samples", "Failures", "Provenance"),
]


@pytest.fixture
def experiment(bench: lab.Lab, task: Task) -> Experiment:
    return bench.start(task, BOTH).wait(30)


def test_a_report_has_its_sections_in_their_order(experiment: Experiment) -> None:
    report = read_report(experiment, "Which one doubles best?")

    assert list(report) == ORDER
    assert report[""].startswith("# Which one doubles best?\n")
    assert "2 models on 20 samples of doubles, judged by number;" in report[""]
    assert "| 2 | 20 | 40/40 | 0 |" in report[""]


def test_it_leads_with_who_is_best_and_how_sure_that_is(experiment: Experiment) -> None:
    found = read_report(experiment)["Findings"]

    best, pair, *_ = found.strip().splitlines()
    assert best == "- **openai/large is best in number; no other run is tied with it.**"
    assert "openai/large scores higher than openai/small on number: +95.0" in pair
    assert r"points \[+" in pair


def test_the_plan_is_what_every_model_was_asked(bench: lab.Lab, task: Task) -> None:
    prompt = lab.PromptTemplate(
        system="Answer briefly.",
        shots=(lab.Message(role="user", content="1 + 1?"),),
        user="{{ input }}",
    )
    asked = task.model_copy(
        update={"prompt": prompt, "config": lab.GenerateConfig(temperature=0.5)}
    )
    experiment = bench.start(asked, "openai/large", tags={"team": "blue"}).wait(30)

    report = read_report(experiment)

    plan = report["What was asked"]
    assert "| dataset | doubles, 20 samples |" in plan
    assert f"| fingerprint | {task.dataset.fingerprint} |" in plan
    assert "| settings | temperature = 0.5 |" in plan
    for text in ("Answer briefly.", "1 + 1?", "{{ input }}"):
        assert f"```text\n{text}\n```" in plan
    assert "| tags | team = blue |" in report["Provenance"]


def test_a_file_is_named_without_the_folder_it_lay_in(
    bench: lab.Lab, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("secret-project")
    (folder / "sums.jsonl").write_text('{"input": "What is 1 + 1?", "target": "2"}\n')
    task = Task(dataset=lab.load_dataset(folder / "sums.jsonl", limit=1))
    report = read_report(bench.start(task, "openai/large").wait(30))

    assert "| loaded from | sums.jsonl (limit = 1) |" in report["What was asked"]
    assert "secret" not in "".join(report.values())


def test_runs_are_ranked_over_the_samples_that_all_answered(
    experiment: Experiment,
) -> None:
    found = read_report(experiment)["Leaderboard"]

    rows = [line for line in found.splitlines() if line.startswith("| openai/")]
    assert [row.split(" | ")[1] for row in rows] == ["100.0 %", "5.0 %"]
    assert "Over 20 samples and epochs that all runs answered." in found


def test_the_two_best_are_compared_with_every_measure(experiment: Experiment) -> None:
    found = read_report(experiment)["Comparison"]

    small, large = experiment.runs
    assert f"| candidate | openai/large, run {large.id} |" in found
    assert f"| baseline | openai/small, run {small.id} |" in found
    assert re.search(r"\| number \| 5.0 % \| 100.0 % \| .*\| 19 \| 0 \| 1 \| 20", found)
    assert "| latency |" in found and "| tokens out |" in found
    assert "All pairs" not in found


async def test_three_runs_are_held_against_each_other_in_pairs(bench: lab.Lab) -> None:
    samples = tuple(
        Sample(id=f"s{n}", input=f"What is {n} + {n}?", target=str(2 * n))
        for n in range(20)
    )
    task = Task(dataset=Dataset(name="sums", samples=samples), scorers="number")
    models = ["embedded/calculator", "embedded/constant", "embedded/echo"]

    found = read_report(await bench.run(task, models))["Comparison"]

    assert "### All pairs by number" in found
    assert "| embedded/calculator | embedded/constant |" in found


def test_one_run_is_told_of_without_a_comparison(bench: lab.Lab, task: Task) -> None:
    report = read_report(bench.start(task, "openai/large").wait(30))

    assert (
        r"- **openai/large has 100.0 % \[83.9, 100.0\] on number, over 20 answers.**"
        in report["Findings"]
    )
    assert "two or more runs with scored answers" in report["Leaderboard"]
    assert "there is one run" in report["Comparison"]
    assert "there is one run" in report["Flipped samples"]
    assert "All samples have the same mean number." in report["Worst samples"]


def test_without_scorers_the_answers_still_have_times_and_costs(
    bench: lab.Lab, task: Task
) -> None:
    plain = task.model_copy(update={"scorers": ()})
    report = read_report(bench.start(plain, BOTH).wait(30))

    assert "No answer was scored" in report["Leaderboard"]
    assert "No answer was scored" in report["Worst samples"]
    assert "| latency |" in report["Comparison"]
    assert "| openai/large |" in report["Speed"]
    assert "not judged" in report[""]


def test_each_scorer_has_its_leaderboard(bench: lab.Lab, task: Task) -> None:
    judged = task.model_copy(update={"scorers": ("number", "short=length")})
    report = read_report(bench.start(judged, BOTH).wait(30))

    assert "### By number" in report["Leaderboard"]
    assert "### By short" in report["Leaderboard"]
    assert "| short |" in report["Comparison"]
    assert "judged by number and short" in report[""]


def test_groups_have_a_table_of_their_own(bench: lab.Lab) -> None:
    samples = tuple(
        Sample(
            id=f"q{n}",
            input=f"What is {n} + {n}?",
            target=str(2 * n),
            group="odd" if n % 2 else "even",
        )
        for n in range(1, 21)
    )
    task = Task(dataset=Dataset(name="doubles", samples=samples), scorers="number")
    found = read_report(bench.start(task, BOTH).wait(30))["Leaderboard"]

    rows = re.findall(r"(?m)^\| (odd|even) \| 10 \| (\S+ %) .*\| (\S+ %)", found)
    assert rows == [("odd", "100.0 %", "10.0 %"), ("even", "100.0 %", "0.0 %")]


def test_swept_parameters_tell_the_runs_of_one_model_apart(
    bench: lab.Lab, task: Task
) -> None:
    swept = task.model_copy(update={"sweep": {"temperature": (0.0, 1.0)}})
    report = read_report(bench.start(swept, "openai/large").wait(30))

    assert r"| swept | temperature = \[0.0, 1.0\] |" in report["What was asked"]
    assert "| settings | those of each provider |" in report["What was asked"]
    assert "openai/large (temperature=0.0)" in report["Leaderboard"]
    assert "openai/large (temperature=1.0), run" in report["Comparison"]
    assert "| model | temperature |" in report["Results"]


def test_the_worst_samples_are_those_with_the_lowest_mean(
    experiment: Experiment,
) -> None:
    found = read_report(experiment)["Worst samples"]

    assert "19 samples share the lowest mean number, 50.0 %, of 20 samples" in found
    assert found.count("#### ") == 8
    first = found[found.index("#### ") : found.index("#### q3")]
    assert "#### q2 (mean number 50.0 %)" in first
    assert "**openai/large**: ✓ right" in first
    assert "**openai/small**: ✗ wrong\n\n```text\n2\n```" in first


def test_flipped_samples_stand_beside_each_other(experiment: Experiment) -> None:
    found = read_report(experiment)["Flipped samples"]

    title = "19 better with openai/large than with openai/small, the first 4"
    assert f"### {title}" in found
    assert found.count("#### ") == 4
    assert found.index("**openai/small**") < found.index("**openai/large**")


def test_of_several_epochs_the_worst_is_shown(bench: lab.Lab, task: Task) -> None:
    repeated = task.model_copy(update={"epochs": 2})
    report = read_report(bench.start(repeated, BOTH).wait(30))

    assert "**openai/small, epoch 1**" in report["Worst samples"]
    assert "clustered by sample" in report["Comparison"]
    assert "| epochs | 2 |" in report["What was asked"]


def test_failures_are_counted_and_some_are_shown(bench: lab.Lab, task: Task) -> None:
    experiment = bench.start(task, ["openai/large", "openai/absent"]).wait(30)

    report = read_report(experiment)

    failures = report["Failures"]
    assert "ModelNotFoundError" in failures and "not sent" in failures
    assert "no such model" in failures
    assert "- ⚠ openai/absent: failed: " in report["Findings"]
    assert "- ⚠ openai/absent: 20 of 20 samples failed" in report["Findings"]
    assert "| failed |" in report["Results"]


def test_where_nothing_failed_it_says_so(experiment: Experiment) -> None:
    assert "No sample failed" in read_report(experiment)["Failures"]


def test_a_cost_that_is_not_known_is_not_zero(experiment: Experiment) -> None:
    report = read_report(experiment)

    assert "| openai/large | 200 | 20 | – | – |" in report["Cost"]
    assert "no price was" in report["Cost"]


def test_a_known_price_stands_beside_the_cost(bench: lab.Lab, task: Task) -> None:
    found = read_report(bench.start(task, "embedded/constant").wait(60))["Cost"]

    assert "| $0.00 |".replace("$", r"\$") in found
    assert "0 in, 0 out" in found


def test_the_provenance_names_code_and_endpoints_but_no_person(
    experiment: Experiment, server: RecordedServer
) -> None:
    report = read_report(experiment)

    found = report["Provenance"]
    told = experiment.record.provenance
    assert f"aistrale-lab {told['packages']['aistrale-lab']}" in found
    assert f"| Python | {told['python']} |" in found
    for run in experiment.runs:
        assert f"| {run.id} | {run.model} |" in found
    assert server.base_url.replace("http:", "http&#58;") in found
    assert "| user |" not in found and "| host |" not in found
    assert told["user"] == getpass.getuser() and told["host"] == socket.gethostname()


def test_a_run_that_still_goes_on_is_told_as_such(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    server.delay = 0.2
    server.notice_at = 4
    handle = bench.start(task, "openai/large", concurrency=2)
    assert server.reached.wait(20)

    found = read_report(bench.experiment(handle.experiment_id))["Findings"]

    handle.cancel()
    handle.wait(30)
    assert "- ⚠ 1 run still goes on: this is what there is so far." in found
