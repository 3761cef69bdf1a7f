"""The page itself: it stands alone, runs nothing, and keeps what others wrote as text."""

import base64
import hashlib
import re
from pathlib import Path

import pytest
from servers.markup import SCRIPTS, check_page
from servers.recorded import RecordedServer

import aistrale_lab as lab
from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.report import write_report
from aistrale_lab.report.description import Facts, Line, Report, Section
from aistrale_lab.report.render import escaped, fenced, html, markdown

BOTH = ["openai/small", "openai/large"]
LARGEST = 5_000_000


@pytest.fixture
def page(bench: lab.Lab, task: Task, tmp_path: Path) -> str:
    experiment = bench.start(task, BOTH).wait(30)
    write_report(experiment, tmp_path / "report.html")
    return (tmp_path / "report.html").read_text("utf-8")


def hostile_task() -> Task:
    """Every payload as a sample's id, question, group and answer, some as a target.

    The first eight are worst, the last three flipped: all of them are shown.
    """
    samples = tuple(
        Sample(id=p, input=p, target="no" if n < 8 else p, group=p[:9])
        for n, p in enumerate(SCRIPTS)
    )
    return Task(
        dataset=Dataset(name=SCRIPTS[0], samples=samples),
        scorers=("exact", "includes"),
        prompt=lab.PromptTemplate(user="{{ input }}", system="</pre>" + SCRIPTS[1]),
    )


@pytest.fixture
def hostile(bench: lab.Lab) -> Experiment:
    models = ["embedded/echo", "embedded/constant", "openai/absent"]
    tags = {"<b>": "</dd><script>alert(1)</script>"}
    return bench.start(hostile_task(), models, tags=tags).wait(60)


def test_a_page_stands_alone_and_its_policy_allows_one_style(page: str) -> None:
    found = check_page(page)

    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page
    assert "url(" not in style and "@import" not in style
    assert "script" not in found.tags and "style" not in found.attributes
    assert page.index("Content-Security-Policy") < page.index("<title>")


def test_every_plot_is_a_picture_in_the_page_or_says_why_not(page: str) -> None:
    pictures = re.findall(r'<img src="data:image/svg\+xml;base64,([^"]+)"', page)

    assert len(pictures) == 4
    for picture in pictures:
        svg = base64.b64decode(picture).decode()
        assert "<svg" in svg and "<script" not in svg
    assert "There is no plot “Quality against cost”" in page


def test_intervals_are_drawn_beside_their_numbers(page: str) -> None:
    assert page.count('class="interval"') == 2
    assert page.count('class="full"') == 1 and page.count('class="hollow"') == 1


def test_what_others_wrote_is_text_in_the_page(
    hostile: Experiment, tmp_path: Path
) -> None:
    write_report(hostile, tmp_path / "report.html", title=SCRIPTS[4])
    page = (tmp_path / "report.html").read_text("utf-8")

    found = check_page(page)

    for payload in (*SCRIPTS[:8], *SCRIPTS[10:], "\\x1b]52;c", "safe\\u202egpj"):
        assert payload in found.text


def test_what_others_wrote_is_text_in_markdown(
    hostile: Experiment, tmp_path: Path
) -> None:
    write_report(hostile, tmp_path / "report.md", title=SCRIPTS[7])
    text = (tmp_path / "report.md").read_text("utf-8")

    outside = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", text)
    assert "<" not in outside and "![" not in outside
    assert not re.search(r"(?<!\\)\]\(", outside)
    assert "169.254.169.254" in text and "http://169" not in outside
    assert not {"\x1b", "\u202e", "\x07"} & set(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a|b", r"a\|b"),
        ("*bold* _x_ `code` ~~no~~", r"\*bold\* \_x\_ \`code\` \~\~no\~\~"),
        ("[x](javascript:alert(1))", r"\[x\](javascript:alert(1))"),
        ("![](http://a/)", r"!\[\](http&#58;//a/)"),
        ("www.example.org", "www&#46;example.org"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("# no heading", r"\# no heading"),
        ("1. no list", r"1\. no list"),
        ("2026-01-02", "2026-01-02"),
        ("$x$", r"\$x\$"),
        ("two\nlines", "two lines"),
        ("back\\slash", "back\\\\slash"),
    ],
)
def test_markdown_is_never_made_of_what_others_wrote(text: str, told: str) -> None:
    assert escaped(text) == told


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    assert fenced("```\n````") == "`````text\n```\n````\n`````"


def test_blank_lines_of_a_text_stay_as_they_are() -> None:
    section = Section("a", "A", [Line("one"), Facts([("x", "y")])])
    report = Report("T", "S", [("n", "1")], [section], "made")

    text = markdown(report)

    assert text.splitlines()[-1] == "made"
    assert "one\n\n| | |\n| --- | --- |\n| x | y |\n" in text


def test_a_page_is_never_larger_than_a_browser_likes(
    bench: lab.Lab, server: RecordedServer, tmp_path: Path
) -> None:
    """Texts of 80 kB each, of letters that escaping makes longer; many groups."""
    huge = "\u202e<'&" * 20_000
    samples = tuple(
        Sample(id=f"{n}{huge}", input=f"{n}{huge}", target=huge, group=f"g{n}{huge}")
        for n in range(40)
    )
    task = Task(dataset=Dataset(name=huge, samples=samples), scorers="exact")
    experiment = bench.start(task, ["embedded/echo", "embedded/constant"]).wait(100)

    for name in ("report.html", "report.md"):
        assert 10_000 < write_report(experiment, tmp_path / name) < LARGEST


def test_names_that_look_like_formulas_are_drawn_as_they_are(
    bench: lab.Lab, task: Task, tmp_path: Path
) -> None:
    odd = task.model_copy(
        update={"sweep": {"stop_sequences": (("$x^{", "$"), ("\u4f60\n",))}}
    )
    experiment = bench.start(odd, "openai/large").wait(30)

    write_report(experiment, tmp_path / "report.html")

    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count("data:image/svg+xml;base64,") == 4


def test_html_of_nothing_is_a_page_too() -> None:
    check_page(html(Report("T", "S", [], [], "made")))
