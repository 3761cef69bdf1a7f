"""What a cell keeps of a view stays small, whatever the run's size, and is no formula."""

import json
from typing import Any

import pandas as pd

import aistrale_lab as lab
from aistrale_lab.analysis.plots import LARGEST, small_png, summary_plot
from aistrale_lab.domain import rich
from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.widgets.view import View

SMALL = 200_000
WIDE = "\u202e" * 400
"""A text that grows most when it is shown."""


class Tally(View):
    """A view of nothing but texts that are too large."""

    _esm = "export default { render() {} };"

    def acts(self) -> dict[str, Any]:
        return {}

    def static_html(self) -> str:
        return '<p class="x">' + '"' * 300_000 + "</p>"

    def static_text(self) -> str:
        return "said " + "\n" * 300_000


def kept(shown: Any) -> int:
    """The bytes of an output in a notebook file."""
    return len(json.dumps(shown._repr_mimebundle_()[0], ensure_ascii=False).encode())


def test_a_table_counts_the_rows_that_it_has_no_room_for() -> None:
    rows = ([WIDE, WIDE, "漢" * 400] for _ in range(100_000))

    html = rich.table(["a", "b", "c"], rows)

    said = html[html.rindex("<td") :]
    shown = html.count("<tr>") - 2
    assert len(html.encode()) < rich.ROOM + 1_000
    assert shown > 0 and f"{100_000 - shown:,} more rows" in said


def test_no_view_can_keep_a_large_output() -> None:
    view = Tally({})
    bundle = view._repr_mimebundle_()[0]

    assert kept(view) < SMALL
    assert bundle["text/html"].startswith(f'<div class="{rich.NO_FORMULAS}"><p>said')


async def test_many_runs_with_long_texts_make_small_outputs(bench: lab.Lab) -> None:
    samples = tuple(Sample(id=f"{n} {WIDE}", input=WIDE * 40) for n in range(3))
    task = Task(
        dataset=Dataset(name=WIDE[:200], samples=samples),
        scorers=[f"{'long' * 10}{n}=length" for n in range(2)],
        sweep={"seed": tuple(range(10))},
    )
    experiment = await bench.run(task, "embedded/echo")

    panel = lab.RunPanel(bench, task, "embedded/echo")
    views = [
        panel,
        lab.ResultsTable(experiment, columns=experiment.columns(), page_size=500),
        lab.CompareView(experiment),
    ]

    assert [kept(view) < SMALL for view in views] == [True] * 3
    assert "2 more runs" in views[2].static_html()
    assert len(experiment._repr_html_().encode()) < SMALL / 2


def test_a_plot_of_many_models_is_a_small_picture_that_says_so() -> None:
    many = pd.DataFrame(
        {
            "model": [f"openai/model-{n}" for n in range(500)],
            "metric": "exact",
            "value": [n / 500 for n in range(500)],
            "ci_low": [n / 600 for n in range(500)],
            "ci_high": [n / 500 for n in range(500)],
            "duration_p50_s": 1.0,
            "ttft_p50_s": 0.5,
        }
    )

    plot = summary_plot(many)

    assert plot.axes[0].get_title(loc="left") == "the highest 40 of 500"
    assert plot.axes[0].get_yticklabels()[-1].get_text() == "openai/model-499"
    assert len(plot._repr_png_()) <= LARGEST  # type: ignore[attr-defined]
    assert len(small_png(plot, 9_000)) <= 9_000


def test_money_is_no_formula_in_what_a_notebook_shows(task: Task) -> None:
    for html in (task._repr_html_(), task.dataset._repr_html_()):
        outer = html.count(f'class="{rich.NO_FORMULAS}"')
        assert outer == html.count("<table>") + html.count("<table class=")
