"""The schema's steps, applied by Alembic; a fresh store is made in one go.

A step is never edited after it landed. Each is applied in one transaction; a SQLite
file is copied beside itself first, and on PostgreSQL one process does it for all.
"""

import shutil
from pathlib import Path

from sqlalchemy import Connection, inspect
from sqlmodel import SQLModel

from aistrale_lab.errors import StoreError
from aistrale_lab.store import tables
from aistrale_lab.store.database import Database

HEAD = "0004"
"""The newest step. It is written down so that opening a store needs no Alembic."""

VERSION_TABLE = "alembic_version"

LOCK = "SELECT pg_advisory_xact_lock(hashtext('aistrale schema'))"


def upgrade(database: Database) -> str | None:
    """Bring a store to the newest schema; returns the one that was found, if any.

    Raises StoreError for a schema newer than ours.
    """
    with database.read() as connection:
        found = _revision(connection)
    if found == HEAD:
        return found
    if database.read_only:
        raise StoreError(f"{database} is read-only and has no current schema")
    if found is not None:
        _check_known(database, found)
        _back_up(database, found)
    with database.write() as connection:
        _lock(connection)
        if _revision(connection) is None:
            _create(connection)
        else:
            _apply(connection)
    return found


def _lock(connection: Connection) -> None:
    """Wait while another process makes or migrates the schema."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(LOCK)


def _revision(connection: Connection) -> str | None:
    names = inspect(connection).get_table_names()
    if VERSION_TABLE not in names:
        if names:
            raise StoreError(
                f"the database holds other tables ({', '.join(sorted(names)[:3])}, ...)"
                " and none of ours; name another one"
            )
        return None
    statement = f"SELECT version_num FROM {VERSION_TABLE}"
    return str(connection.exec_driver_sql(statement).scalar_one())


def _create(connection: Connection) -> None:
    SQLModel.metadata.create_all(connection, tables=tables.all_tables())
    connection.exec_driver_sql(
        f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, "
        f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
    )
    connection.exec_driver_sql(f"INSERT INTO {VERSION_TABLE} VALUES ('{HEAD}')")


def _apply(connection: Connection, target: str = "head") -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    script = ScriptDirectory.from_config(config)
    with EnvironmentContext(
        config,
        script,
        fn=lambda revision, context: script._upgrade_revs(target, revision),
    ) as environment:
        environment.configure(connection=connection, target_metadata=SQLModel.metadata)
        environment.run_migrations()


def _check_known(database: Database, found: str) -> None:
    steps = Path(__file__).with_name("versions").glob("[0-9]*.py")
    if found not in {step.name[:4] for step in steps}:
        raise StoreError(
            f"{database} has schema {found}, made by a newer version of aistrale-lab "
            f"(this one knows {HEAD}); update the package"
        )


def _back_up(database: Database, found: str) -> None:
    if database.path is not None:
        copy = database.path.with_name(f"{database.path.name}.bak-{found}")
        with database.write():
            shutil.copy2(database.path, copy)
