"""`db`: the store's schema."""

from contextlib import closing

from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.options import Showing
from aistrale_lab.cli.output import emit, emit_json
from aistrale_lab.cli.showing import check_store
from aistrale_lab.settings import load_settings
from aistrale_lab.store import migrations
from aistrale_lab.store.database import Database


def upgrade(showing: Showing) -> Exit:
    """Bring the store to the newest schema, and say from which."""
    check_store(showing)
    url = showing.store or load_settings().store
    with closing(Database.open(url)) as database:
        before = migrations.upgrade(database)
    if showing.json:
        emit_json({"store": str(database), "before": before, "after": migrations.HEAD})
    elif before == migrations.HEAD:
        emit(f"{database} has schema {before}, the newest\n")
    else:
        emit(f"{database}: schema {before or 'none'} -> {migrations.HEAD}\n")
    return Exit.DONE
