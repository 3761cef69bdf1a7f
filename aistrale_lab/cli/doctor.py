"""`doctor`: what is installed, set and reachable here. Never prints a key."""

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.options import Showing
from aistrale_lab.cli.output import emit_blocks, emit_json
from aistrale_lab.errors import ConfigError, LabError, StoreError
from aistrale_lab.lab.provenance import provenance
from aistrale_lab.lab.team import check_server_url, is_server
from aistrale_lab.settings import FILE_NAME, WELL_KNOWN_KEYS, Settings, load_settings
from aistrale_lab.store.database import Database, parse_url, shown
from aistrale_lab.store.migrations import HEAD, VERSION_TABLE

Version = tuple[int, ...]

WAL_RESET_BUG = ((3, 7, 0), (3, 51, 2))
"""SQLite versions in which two writing connections can lose a WAL frame."""

ADDRESSES = ("OPENAI_BASE_URL", "HF_BASE_URL", "AISTRALE_STORE")


def doctor(showing: Showing) -> Exit:
    """Report on the machine, the settings and the store."""
    settings, fault = _settings()
    store = _store(showing.store or (settings.store if settings else ""))
    machine = provenance()
    found: dict[str, Any] = {
        "versions": {"python": machine["python"], **machine["packages"]},
        "platform": machine["platform"],
        "sqlite": _sqlite(),
        "store": store,
        "settings": _files() | {"fault": fault},
        "providers": sorted(settings.providers) if settings else [],
        "keys": _keys(settings),
        "addresses": [name for name in ADDRESSES if os.environ.get(name)],
        "proxies": machine["proxies"],
    }
    if showing.json:
        emit_json(found)
    else:
        emit_blocks(_blocks(found))
    if store["fault"] is not None and store["url"] is not None:
        return Exit.BROKEN
    return Exit.USAGE if fault or store["fault"] else Exit.DONE


def _settings() -> tuple[Settings | None, str | None]:
    try:
        return load_settings(), None
    except LabError as error:
        return None, error.message


def _sqlite() -> dict[str, Any]:
    first, last = WAL_RESET_BUG
    affected = first <= sqlite3.sqlite_version_info <= last
    notice = (
        "this version has the WAL-reset bug; a store is safe with one writing program "
        "at a time, which is all that AISTRALE Lab uses"
    )
    return {"version": sqlite3.sqlite_version, "notice": notice if affected else None}


def _store(text: str) -> dict[str, Any]:
    """The store as it is, without making, migrating or writing anything."""
    found: dict[str, Any] = {"url": None, "state": None, "fault": None}
    if is_server(text):
        return found | _server(text)
    try:
        url = parse_url(text)
        found["url"] = shown(url)
        path = Path(url.database or "")
        if url.get_backend_name() == "sqlite" and not path.exists():
            return found | _absent(path)
        database = Database(url, read_only=True)
        try:
            return found | {"state": "readable"} | _contents(database)
        finally:
            database.close()
    except (ConfigError, StoreError) as error:
        return found | {"fault": error.message}


def _server(text: str) -> dict[str, Any]:
    """A team's server, which is not asked: its token stays here."""
    try:
        return {"url": check_server_url(text), "state": "a team's server"}
    except ConfigError as error:
        return {"fault": error.message}


def _absent(path: Path) -> dict[str, Any]:
    if not path.parent.is_dir():
        return {"fault": f"the folder {str(path.parent)!r} does not exist"}
    return {"state": "not there yet; the first run makes it"}


def _contents(database: Database) -> dict[str, Any]:
    with database.read() as connection:
        version = connection.exec_driver_sql(
            f"SELECT version_num FROM {VERSION_TABLE}"
        ).scalar_one()
        runs = connection.exec_driver_sql("SELECT count(*) FROM runs").scalar_one()
    if str(version) > HEAD:
        raise StoreError(
            f"{database} has the newer schema {version}; update the package"
        )
    return {"schema": str(version), "runs": int(runs)}


def _files() -> dict[str, Any]:
    from platformdirs import user_config_path

    places = [user_config_path("aistrale") / FILE_NAME, Path.cwd() / FILE_NAME]
    return {"files": [str(place) for place in places if place.is_file()]}


def _keys(settings: Settings | None) -> dict[str, bool]:
    """Which keys are set; their names only."""
    names = {*WELL_KNOWN_KEYS}
    for provider in settings.providers.values() if settings else ():
        names |= {provider.api_key_env} if provider.api_key_env else set()
    return {name: bool(os.environ.get(name)) for name in sorted(names)}


def _blocks(found: dict[str, Any]) -> list[list[tuple[str, str]]]:
    keys = [name for name, is_set in found["keys"].items() if is_set]
    settings, sqlite = found["settings"], found["sqlite"]
    return [
        _block("versions", found["versions"] | {"platform": found["platform"]}),
        _block("SQLite", sqlite),
        _block("store", found["store"]),
        _block(
            "settings",
            {
                "files": _listed(settings["files"]),
                "fault": settings["fault"],
                "providers": _listed(found["providers"]),
                "keys set": _listed(keys),
                "addresses set": _listed(found["addresses"]),
                "proxies": _listed(f"{k}={v}" for k, v in found["proxies"].items()),
            },
        ),
    ]


def _block(title: str, entries: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [(k, str(v)) for k, v in entries.items() if v is not None]
    return [(title, title), *lines]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
