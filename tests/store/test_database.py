"""Opening a store: made, migrated, or refused in words; never overwritten."""

import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from servers.postgres import Postgres
from sqlalchemy import Connection, func, inspect, select
from sqlmodel import SQLModel

from aistrale_lab.domain.tasks import Task
from aistrale_lab.errors import ConfigError, StoreError
from aistrale_lab.store import migrations
from aistrale_lab.store.database import Database, parse_url
from aistrale_lab.store.leases import RUNS
from aistrale_lab.store.results import Store
from aistrale_lab.store.tables import all_tables
from tests.store.conftest import RUN, add_run


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "malformed; possible: sqlite:///FILE"),
        ("postgresql:me:pw123@host", "malformed; possible: sqlite:///FILE"),
        ("s.db", r"malformed \(meant sqlite:///s.db\?\); possible: sqlite:///FILE"),
        ("/srv/s.db", r"meant sqlite:////srv/s.db\?"),
        ("mysql://root:pw123@h/x", "no store for 'mysql'; possible: sqlite:///FILE"),
        ("sqlite://store.db", "three slashes"),
        ("sqlite://", "names no file"),
        ("postgresql://me:pw123@host", "names no database"),
        ("postgresql+asyncpg://me:pw123@host/x", "no store for 'postgresql.asyncpg'"),
    ],
)
def test_a_malformed_url_is_refused_with_what_is_possible(
    url: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Store.open(url)

    assert "pw123" not in str(caught.value)


def test_a_wrong_password_an_unknown_database_and_a_dead_server_are_told(
    postgres: Postgres,
) -> None:
    wrong = postgres.url("postgres", password="pw-123-wrong")
    said = {}
    for name, url in {
        "password": wrong,
        "database": postgres.url("nowhere"),
        "server": f"postgresql://lab:pw-123@/x?host={postgres.folder}/none",
        "port": "postgresql://lab:pw-123@127.0.0.1:1/x?password=pw-123",
    }.items():
        with pytest.raises(StoreError) as caught:
            Store.open(url)
        said[name] = caught.value.message

    assert "check the user and the password" in said["password"]
    assert (
        'database "nowhere" does not exist (make it with createdb' in said["database"]
    )
    assert "is PostgreSQL running there" in said["server"]
    assert "is PostgreSQL running there, and is that its port?" in said["port"]
    assert "pw-123" not in "".join(said.values())


def test_what_a_session_is_set_to_does_not_matter(
    postgres: Postgres, postgres_url: str, task: Task
) -> None:
    name = parse_url(postgres_url).database
    postgres.execute(f"ALTER DATABASE {name} SET timezone TO 'Asia/Kolkata'")
    postgres.execute(f"ALTER DATABASE {name} SET synchronous_commit TO off")
    store = Store.open(postgres_url)
    add_run(store, task)
    found = store.read(select(func.current_setting("synchronous_commit")))
    made = store.read(select(RUNS.c.created_at))[0].created_at
    store.close()

    assert found[0][0] == "on"
    assert made.utcoffset() == timedelta(0)


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(ConfigError, match=r"aistrale-lab\[postgres\]"):
        Store.open("postgresql://lab@host/x")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nowhere' does not exist"):
        Store.open(f"sqlite:///{tmp_path}/nowhere/store.db")


@pytest.mark.parametrize(
    "content", [b"", b"not a database" * 100], ids=["empty", "text"]
)
def test_a_file_that_is_no_store_is_left_as_it_is(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(content)

    with pytest.raises(StoreError, match="store.db"):
        Store.open(f"sqlite:///{path}")

    assert path.read_bytes() == content


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")

    with pytest.raises(StoreError, match=r"other tables \(theirs"):
        Store.open(f"sqlite:///{path}")


def test_a_damaged_page_is_told_in_words(sqlite_url: str, task: Task) -> None:
    store = Store.open(sqlite_url)
    add_run(store, task)
    store.close()
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)

    with pytest.raises(StoreError, match="damaged; restore a backup"):
        store = Store.open(sqlite_url)
        store.list_runs()


def test_a_newer_schema_is_refused(url: str) -> None:
    Store.open(url).close()
    database = Database.open(url)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()

    with pytest.raises(StoreError, match="newer version"):
        Store.open(url)


def test_the_store_is_the_owners_alone(sqlite_url: str) -> None:
    Store.open(sqlite_url).close()

    assert Path(sqlite_url.removeprefix("sqlite:///")).stat().st_mode & 0o077 == 0


def test_a_store_is_durable_and_in_wal(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    with database.read() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        level = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    database.close()

    assert (mode, level) == ("wal", 2)


def test_the_migrations_make_exactly_the_tables_of_the_code(url: str) -> None:
    database = Database.open(url)
    with database.write() as connection:
        migrations._apply(connection)
        context = MigrationContext.configure(connection)
        differences = compare_metadata(context, SQLModel.metadata)
        revision = context.get_current_revision()
    database.close()

    assert differences == []
    assert revision == migrations.HEAD


def test_a_fresh_store_has_exactly_the_schema_of_the_migrations(url: str) -> None:
    Store.open(url).close()
    database = Database.open(url)
    with database.write() as connection:
        made = schema_of(connection)
        SQLModel.metadata.drop_all(connection, tables=all_tables())
        connection.exec_driver_sql("DROP TABLE alembic_version")
        migrations._apply(connection)
        migrated = schema_of(connection)
    database.close()

    assert made == migrated


def schema_of(connection: Connection) -> dict[str, list[str]]:
    """Every column, key, index and constraint of every table."""
    inspector = inspect(connection)
    return {
        table: sorted(
            [
                *map(str, inspector.get_columns(table)),
                *map(str, inspector.get_foreign_keys(table)),
                *map(str, inspector.get_indexes(table)),
                *map(str, inspector.get_unique_constraints(table)),
                str(inspector.get_pk_constraint(table)),
            ]
        )
        for table in inspector.get_table_names()
    }


def test_a_store_that_can_only_be_read_is_read(url: str, task: Task) -> None:
    store = Store.open(url)
    add_run(store, task)
    store.close()
    database = Database(parse_url(url), read_only=True)

    with database.read() as connection:
        runs = connection.exec_driver_sql("SELECT id FROM runs").fetchall()
    with pytest.raises(StoreError, match="read-only"), database.write():
        pass
    database.close()

    assert runs == [(RUN,)]


STEPS = sorted(
    step.name[:4]
    for step in Path(migrations.__file__).with_name("versions").glob("[0-9]*.py")
)


@pytest.mark.parametrize("number", [2, 5])
def test_those_who_open_an_empty_database_at_once_find_one_schema(
    postgres_url: str, number: int
) -> None:
    with ThreadPoolExecutor(number) as threads:
        stores = [*threads.map(Store.open, [postgres_url] * number)]
    found = [store.list_runs() for store in stores]
    for store in stores:
        store.close()

    assert found == [[]] * number


@pytest.mark.parametrize("earlier", STEPS[:-1])
def test_a_store_of_an_earlier_schema_is_brought_up_and_keeps_its_rows(
    url: str, task: Task, earlier: str
) -> None:
    database = Database.open(url)
    with database.write() as connection:
        migrations._apply(connection, earlier)
        connection.exec_driver_sql(
            "INSERT INTO datasets VALUES ('f', 'tiny', 0, NULL)",
        )
        connection.exec_driver_sql(
            "INSERT INTO experiments (id, name, identity, dataset, task, tags, "
            "provenance, created_at) VALUES "
            "('old', 'tiny', 'same', 'f', '{}', '{}', '{}', '2026-01-01 00:00:00')"
        )
    database.close()

    store = Store.open(url)
    record = store.get_experiment("old")
    store.close()

    assert (record.owner, record.visibility) == (None, "private")
    if database.path is not None:
        assert Path(f"{database.path}.bak-{earlier}").exists()
