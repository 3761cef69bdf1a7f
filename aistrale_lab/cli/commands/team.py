"""The commands of a team: its server and users, its store, and what moves between two."""

from typing import Annotated

import typer

from aistrale_lab.cli import options as o


def push(
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="URL", help="The store or server they are put into."
        ),
    ],
    which: o.Experiments = None,
    store: o.Store = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Put experiments into another store; a second time nothing is inserted.

    Of two outcomes of one sample the newer counts, and the older stays among its
    attempts. What is still being run can be pushed now, and again later.

    `aistrale push --to postgresql+psycopg://me@db.example/bench`
    """
    from aistrale_lab.cli import exchanging as command

    return command.push(which or (), to, o.Showing(store, json, quiet))


def pull(
    source: Annotated[
        str,
        typer.Option(
            "--from", metavar="URL", help="The store or server they come from."
        ),
    ],
    which: o.Experiments = None,
    store: o.Store = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Fetch experiments of another store; a second time nothing is inserted.

    `aistrale pull EXPERIMENT --from sqlite:////srv/bench/team.db`
    """
    from aistrale_lab.cli import exchanging as command

    return command.pull(which or (), source, o.Showing(store, json, quiet))


def serve(
    host: Annotated[
        str, typer.Option(metavar="HOST", help="The address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="0 takes a free one.")
    ] = 8000,
    store: o.Store = None,
) -> int:
    """Serve the bench to a team: pages, API, and models without their keys.

    Needs the extra "server". First `aistrale user add NAME --admin`; limits and the
    like stand under `[server]` in aistrale.toml. A signal ends it when what is being
    answered is done.
    """
    from aistrale_lab.cli import serve as command

    return command.serve(host, port, o.Showing(store))


def upgrade(store: o.Store = None, json: o.Json = False) -> int:
    """Bring a store to the schema of this version; a SQLite file is copied first.

    Opening a store does the same: this is for after a restore, and before many start.
    """
    from aistrale_lab.cli import database as command

    return command.upgrade(o.Showing(store, json))


def add_user(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Case does not count.")],
    admin: Annotated[
        bool, typer.Option("--admin", help="May do everything, and add others.")
    ] = False,
    password_stdin: Annotated[
        bool,
        typer.Option("--password-stdin", help="Read it from standard input: a line."),
    ] = False,
    store: o.Store = None,
    json: o.Json = False,
) -> int:
    """Add a user; the password is asked for on the terminal."""
    from aistrale_lab.cli import user as command

    showing = o.Showing(store, json)
    return command.add(name, showing, admin=admin, from_stdin=password_stdin)


def list_users(store: o.Store = None, json: o.Json = False) -> int:
    """List the users."""
    from aistrale_lab.cli import user as command

    return command.list_users(o.Showing(store, json))
