"""What watches over the server learns whether it runs, and whether it can work."""

from servers.team import TeamServer


def test_it_is_well_and_ready(team: TeamServer) -> None:
    with team.visitor() as nobody:
        answers = [nobody.get("/health"), nobody.get("/ready")]

    assert [a.status_code for a in answers] == [200, 200]
    assert answers[0].json() == {"status": "ok"}


def test_without_its_database_it_runs_and_is_not_ready(team: TeamServer) -> None:
    path = team.bench.store.log_path
    assert path is not None
    database = path.with_suffix(".db")
    team.bench.store._database.close()
    database.rename(database.with_suffix(".away"))
    database.mkdir()

    with team.visitor() as nobody:
        health, ready = nobody.get("/health"), nobody.get("/ready")

    database.rmdir()
    database.with_suffix(".away").rename(database)
    assert health.status_code == 200
    assert ready.status_code == 503
    assert ready.json()["error"]["error_type"] == "StoreError"
