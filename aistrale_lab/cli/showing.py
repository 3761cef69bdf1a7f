"""The bench that a command opens, and the table that it shows."""

from aistrale_lab.analysis.tables import Column
from aistrale_lab.cli.options import Showing
from aistrale_lab.cli.output import emit_table
from aistrale_lab.cli.tables import make_blocks, make_table
from aistrale_lab.errors import ConfigError, NotFoundError
from aistrale_lab.lab.bench import Lab
from aistrale_lab.lab.team import is_server
from aistrale_lab.settings import load_settings


def open_lab(showing: Showing) -> Lab:
    """The bench over the store that was asked for."""
    check_store(showing)
    return Lab.open(showing.store)


def open_own_lab(showing: Showing, *, what: str) -> Lab:
    """The bench over a database; raises ConfigError over a server's URL."""
    check_store(showing)
    settings = load_settings()
    url = showing.store or settings.store
    if is_server(url):
        raise ConfigError(
            f"{what} needs the database itself, and the store is a server: name the "
            "database with --store, where the server runs"
        )
    return Lab.open(url, settings=settings)


def check_store(showing: Showing) -> None:
    """Refuse an empty URL: it is a variable that was not set. Raises ConfigError."""
    if showing.store is not None and not showing.store.strip():
        raise ConfigError("--store is empty; for example --store sqlite:///work.db")


def check_named(which: str) -> None:
    """Refuse an empty id: everything begins with it. Raises NotFoundError."""
    if not which.strip():
        raise NotFoundError("no run is named; `aistrale runs` lists them")


def show_columns(columns: list[Column]) -> None:
    """A table on standard output."""
    emit_table(make_table(columns), make_blocks(columns))
