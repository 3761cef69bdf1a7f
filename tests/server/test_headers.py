"""What every answer carries, and what the server does not give away."""

import pytest
from servers.recorded import RecordedServer
from servers.team import TeamServer

from aistrale_lab.domain.tasks import Task
from aistrale_lab.store.accounts import UserRecord


@pytest.mark.parametrize("path", ["/health", "/nowhere", "/api/v1/users/me"])
def test_every_answer_is_guarded_against_framing_sniffing_and_keeping(
    team: TeamServer, path: str
) -> None:
    """S36: CSP, nosniff, frame-ancestors, no-store, on errors too."""
    with team.visitor() as nobody:
        headers = nobody.get(path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "img-src 'self' data:" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/health", "/sign-in", "/static/house.css", "/x"])
def test_the_head_of_an_answer_is_that_of_get_without_the_body(
    team: TeamServer, path: str
) -> None:
    with team.visitor() as nobody:
        head, whole = nobody.head(path), nobody.get(path)

    own = {"date": "", "x-request-id": ""}
    assert head.status_code == whole.status_code
    assert dict(head.headers) | own == dict(whole.headers) | own
    assert head.content == b"" != whole.content


def test_who_asks_for_the_head_of_events_does_not_wait_for_their_end(
    team: TeamServer, ann: UserRecord, server: RecordedServer, task: Task
) -> None:
    server.delay = 600
    handle = team.bench.start(task, ["openai/large"])
    with team.bearer(ann) as client:
        team.give(handle.experiment_id, ann)
        head = client.head(f"/api/v1/experiments/{handle.experiment_id}/events")

    assert head.status_code == 200
    assert not handle.done()
    handle.cancel()


def test_what_is_served_for_get_alone_says_so(team: TeamServer) -> None:
    with team.visitor() as nobody:
        refused = nobody.delete("/health"), nobody.head("/api/v1/auth/login")

    assert [answer.status_code for answer in refused] == [405, 405]
    assert [a.headers["allow"] for a in refused] == ["GET, HEAD", "POST"]


@pytest.mark.parametrize("path", ["/health/", "/sign-in/", "/v1/models/", "/static"])
def test_no_address_leads_to_where_the_clients_host_header_says(
    team: TeamServer, path: str
) -> None:
    with team.visitor(host="evil.example") as nobody:
        answer = nobody.get(path)

    assert "location" not in answer.headers
    assert answer.status_code in (401, 404)


def test_no_other_site_may_read(team: TeamServer) -> None:
    """S36: no CORS by default."""
    asks = {
        "origin": "http://evil",
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-aistrale",
    }
    with team.visitor(**asks) as nobody:
        answers = [
            nobody.get("/health"),
            nobody.request("OPTIONS", "/api/v1/auth/logout"),
        ]

    assert [a.status_code for a in answers] == [200, 405]
    for answer in answers:
        assert not [name for name in answer.headers if "access-control" in name]


def test_the_document_of_the_api_is_for_those_who_are_signed_in(
    team: TeamServer, ann: UserRecord
) -> None:
    """S36: /docs, /redoc and /openapi.json are not open, and load nothing."""
    with team.visitor() as nobody, team.browser(ann) as browser:
        closed = nobody.get("/openapi.json").status_code
        absent = [browser.get(path).status_code for path in ("/docs", "/redoc")]
        document = browser.get("/openapi.json").json()

    assert closed == 401
    assert absent == [404, 404]
    me = document["paths"]["/api/v1/users/me"]["get"]
    assert me["security"] == [{"session": []}, {"token": []}]
    assert "HTTPValidationError" not in str(document)


def test_https_is_asked_for_where_it_was_used(
    team: TeamServer, ann: UserRecord
) -> None:
    with TeamServer(team.bench, trusted_proxies=("127.0.0.1",)) as behind:
        with behind.visitor(**{"x-forwarded-proto": "https"}) as nobody:
            secure = nobody.get("/health").headers
            signed_in = behind.sign_in(
                nobody, "ann", origin=behind.url.replace("http", "https")
            )
    with team.visitor(**{"x-forwarded-proto": "https"}) as nobody:
        plain = nobody.get("/health").headers

    assert "max-age" in secure["strict-transport-security"]
    assert signed_in.status_code == 200
    assert "strict-transport-security" not in plain
