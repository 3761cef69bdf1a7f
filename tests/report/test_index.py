"""The index page of a batch, made from plain values."""

import pytest
from servers.markup import SCRIPTS, check_page

from aistrale_lab.errors import ValidationError
from aistrale_lab.report import PointRow, Target, index_page

ROWS = [
    PointRow(
        name="0001",
        parameters={"temperature": 0.0, "model": "openai/large"},
        run_ids=["r1", "r2"],
        notebook="points/0001.ipynb",
        export="points/0001.html",
        metrics={"number": "95.0 %\n[80.1, 99.7]", "latency\np50": "8 ms"},
    ),
    PointRow(
        name="0002",
        parameters={"temperature": 0.7},
        status="failed",
        notebook="points/0002.ipynb",
        note="CellError: the kernel died",
    ),
]


def test_each_point_has_its_parameters_its_files_and_its_metrics() -> None:
    page = index_page(
        "Temperatures",
        ROWS,
        batch_id="b1",
        store="sqlite:///batch.db",
        reports=[Target("sums, e1", "reports/e1.html"), Target("none, e2")],
    )

    links = (
        "./reports/e1.html",
        "./points/0001.html",
        "./points/0001.ipynb",
        "./points/0002.ipynb",
    )
    found = check_page(page, links=links)
    assert [link for link in found.links if link != "data:,"] == list(links)
    for text in ("0.7", "openai/large", "95.0 %", "r1, r2", "died", "none, e2"):
        assert text in found.text
    assert '<td class="number">95.0 % <small>[80.1, 99.7]</small></td>' in page
    assert "sqlite:///batch.db" in found.text


def test_states_are_counted_and_what_is_not_there_is_a_dash() -> None:
    page = index_page("Temperatures", ROWS)

    assert "<dt>completed</dt><dd>1</dd>" in page
    assert "<dt>failed</dt><dd>1</dd>" in page
    assert page.count("<td>–</td>") == 1  # the model of the second
    assert page.count('<td class="number">–</td>') == 2  # its metrics


def test_a_store_is_shown_without_its_password() -> None:
    page = index_page("B", [], store="postgresql://me:hush@db.example/lab?key=sk-1")

    assert "postgresql://db.example/lab" in page and "hush" not in page


def test_what_others_wrote_is_text_in_the_index() -> None:
    rows = [
        PointRow(p, {p: p}, status=p, run_ids=[p], metrics={p: p}, note=p)
        for p in SCRIPTS
    ]

    reports = [Target(p) for p in SCRIPTS]
    page = index_page(SCRIPTS[0], rows, batch_id=SCRIPTS[1], reports=reports)
    found = check_page(page)

    assert SCRIPTS[0] in found.text


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("a b#c?.ipynb", "./a%20b%23c%3F.ipynb"),
        ("javascript:alert(1)", "./javascript%3Aalert%281%29"),
        ('x" onmouseover="y.html', "./x%22%20onmouseover%3D%22y.html"),
    ],
)
def test_a_file_of_any_name_is_linked_as_a_file(path: str, link: str) -> None:
    check_page(index_page("B", [PointRow(name="1", notebook=path)]), links=(link,))


@pytest.mark.parametrize("path", ["/etc/passwd", "../up.html", "//evil/x", "", "a\\b"])
def test_a_path_that_leads_away_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="not a path within"):
        index_page("B", [PointRow(name="1", export=path)])
