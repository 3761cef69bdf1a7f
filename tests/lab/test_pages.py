"""Pages of results: sorted, searched and filtered by the store."""

import pytest

import aistrale_lab as lab
from aistrale_lab.domain.tasks import Dataset, Sample
from aistrale_lab.errors import NotFoundError, ValidationError
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.store.excerpts import Key
from aistrale_lab.store.page_search import PageQuery
from aistrale_lab.store.pages import Beside, Page, find_beside

COLUMNS = ["model", "input", "output", "score_number"]


@pytest.fixture
def experiment(bench: lab.Lab) -> Experiment:
    """20 samples in two groups on a model that is right, one that is wrong."""
    samples = tuple(
        Sample(
            id=f"q{n}",
            input=f"What is {n} + {n}?",
            target=str(2 * n),
            group="odd" if n % 2 else "even",
        )
        for n in range(1, 21)
    )
    task = lab.Task(dataset=Dataset(name="doubles", samples=samples), scorers="number")
    return bench.start(task, ["openai/small", "openai/large"]).wait(30)


def ids(page: Page) -> list[str]:
    return [row["sample_id"] for row in page.rows]


def test_rows_stand_in_the_order_of_runs_and_samples(experiment: Experiment) -> None:
    page = experiment.page(PageQuery(offset=18, limit=4), COLUMNS)

    assert [(r["model"], r["sample_id"]) for r in page.rows] == [
        ("openai/small", "q19"),
        ("openai/small", "q20"),
        ("openai/large", "q1"),
        ("openai/large", "q2"),
    ]
    assert (page.found, page.total) == (40, 40)
    assert page.rows[3]["output"] == "4"
    assert page.rows[3]["score_number"] == 1.0


@pytest.mark.parametrize("sort", ["", "score_number", "duration_s", "output"])
def test_beside_a_result_stand_its_neighbours_of_the_page(
    bench: lab.Lab, experiment: Experiment, sort: str
) -> None:
    query = PageQuery(sort=sort, descending=True, search="q1", group="odd", limit=500)
    keys = [
        (row["run_id"], row["sample_id"], row["epoch"])
        for row in experiment.page(query, COLUMNS).rows
    ]
    elsewhere = experiment.runs[0].id, "q2", 1

    def beside(key: Key) -> Beside | None:
        return find_beside(bench.store, experiment.runs, query, ["number"], key)

    assert len(keys) == 12
    assert [beside(key) for key in keys] == [
        Beside(place=n, found=12, before=before, after=after)
        for n, (before, after) in enumerate(
            zip([None, *keys], [*keys[1:], None], strict=False), start=1
        )
    ]
    assert beside(elsewhere) is None


def test_sorting_is_by_any_column_and_keeps_the_order_of_equals(
    experiment: Experiment,
) -> None:
    by_score = experiment.page(PageQuery(sort="score_number", limit=20), COLUMNS)
    by_model = experiment.page(PageQuery(sort="model", limit=1), COLUMNS)
    by_group = experiment.page(PageQuery(sort="group", descending=True), ["group"])

    assert ids(by_score)[:3] == ["q2", "q3", "q4"]
    assert by_score.rows[19]["score_number"] == 1.0
    assert by_model.rows[0]["model"] == "openai/large"
    assert {row["group"] for row in by_group.rows[:20]} == {"odd"}


def test_every_column_can_be_sorted_and_shown(
    experiment: Experiment,
) -> None:
    for column in experiment.columns():
        for descending in (False, True):
            query = PageQuery(sort=column, descending=descending, limit=3)
            assert len(experiment.page(query, [column]).rows) == 3


async def test_rows_without_a_value_come_last_either_way(
    bench: lab.Lab, task: lab.Task
) -> None:
    found = await bench.run(task, ["openai/absent", "openai/large"])

    for descending in (False, True):
        query = PageQuery(sort="score_number", descending=descending, limit=500)
        values = [row["score_number"] for row in found.page(query, COLUMNS).rows]
        known = sum(value is not None for value in values)
        assert known == 20
        assert all(value is not None for value in values[:known])


def test_search_looks_into_inputs_and_outputs_whatever_the_case(
    experiment: Experiment,
) -> None:
    by_input = experiment.page(PageQuery(search="WHAT IS 7 +"), COLUMNS)
    by_output = experiment.page(PageQuery(search="40"), COLUMNS)
    by_wildcard = experiment.page(PageQuery(search="%"), COLUMNS)

    assert ids(by_input) == ["q7", "q7"]
    assert (by_input.found, by_input.total) == (2, 40)
    assert ids(by_output) == ["q20", "q20"]
    assert by_wildcard.rows == ()


def test_filters_are_by_run_outcome_and_group(experiment: Experiment) -> None:
    small = experiment.runs[0].id
    asked = {
        "runs": PageQuery(runs=(small,)),
        "right": PageQuery(outcome="right", scorer="number"),
        "wrong": PageQuery(outcome="wrong", scorer="number"),
        "unscored": PageQuery(outcome="unscored", scorer="number"),
        "failed": PageQuery(outcome="failed"),
        "odd": PageQuery(group="odd", runs=(small,)),
    }

    found = {name: experiment.page(q, COLUMNS).found for name, q in asked.items()}

    assert found == {
        "runs": 20,
        "right": 21,
        "wrong": 19,
        "unscored": 0,
        "failed": 0,
        "odd": 10,
    }
    assert experiment.groups() == ["even", "odd"]


@pytest.mark.parametrize(
    ("query", "columns", "said"),
    [
        (PageQuery(sort="speed"), COLUMNS, "unknown column 'speed'; known columns: "),
        (PageQuery(), ["score_bleu"], "unknown column 'score_bleu'"),
        (PageQuery(runs=("zzz",)), COLUMNS, "unknown run 'zzz'"),
        (PageQuery(outcome="right"), COLUMNS, "unknown scorer ''; known scorers: num"),
    ],
)
def test_what_there_is_not_is_refused(
    experiment: Experiment, query: PageQuery, columns: list[str], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        experiment.page(query, columns)


async def test_a_cell_bears_no_more_than_the_beginning_of_a_text(
    bench: lab.Lab,
) -> None:
    long = Dataset(name="long", samples=(Sample(id="1", input="ä" * 50_000),))
    found = await bench.run(lab.Task(dataset=long), "embedded/echo")

    (row,) = found.page(PageQuery(), ["input", "output"]).rows

    assert len(row["input"]) < 200
    assert len(row["output"]) < 200


async def test_a_swept_parameter_is_a_column_of_its_own(
    bench: lab.Lab, task: lab.Task
) -> None:
    swept = task.model_copy(update={"sweep": {"temperature": (1.0, 0.5, 10)}})
    found = await bench.run(swept, "openai/large")

    query = PageQuery(sort="param_temperature", limit=60)
    values = [r["param_temperature"] for r in found.page(query, found.columns()).rows]

    assert values == [0.5] * 20 + [1.0] * 20 + [10] * 20


def test_an_opened_result_bears_everything(experiment: Experiment) -> None:
    small = experiment.runs[0]

    found = experiment.opened(small.id, "q3")

    assert found.sample.input == "What is 3 + 3?"
    assert found.output == "2"
    assert [(s.scorer, s.value) for s in found.scores] == [("number", 0.0)]
    assert found.scores[0].explanation
    assert found.fields["finish_reason"] == "stop"
    assert found.raw is not None and "chatcmpl-recorded" in found.raw


async def test_attempts_that_were_not_kept_are_opened_too(
    bench: lab.Lab, task: lab.Task
) -> None:
    failed = await bench.run(task, "openai/absent")
    again = await bench.resume(failed.id, failed=True)

    run = again.runs[0].id
    sample = failed.results_df()["sample_id"][0]
    found = again.opened(run, sample)

    assert found.error_type == "ModelNotFoundError"
    assert {attempt.error_type for attempt in found.attempts} == {"ModelNotFoundError"}


def test_a_result_that_there_is_not_is_not_found(experiment: Experiment) -> None:
    with pytest.raises(NotFoundError, match="no result of sample 'q99', epoch 1"):
        experiment.opened(experiment.runs[0].id, "q99")
