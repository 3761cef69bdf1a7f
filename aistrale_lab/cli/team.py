"""The commands of a team: its server and users, its store, and what moves between two."""

from typing import Annotated

import typer

from aistrale_lab.cli import options as o

team = typer.Typer()


@team.command()
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
    from aistrale_lab.cli.showing import Showing

    return command.push(which or (), to, Showing(store, json, quiet))


@team.command()
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
    from aistrale_lab.cli.showing import Showing

    return command.pull(which or (), source, Showing(store, json, quiet))


@team.command()
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
    from aistrale_lab.cli.showing import Showing

    return command.serve(host, port, Showing(store))


db = typer.Typer(help="The store's schema.")
team.add_typer(db, name="db")


@db.callback()
def _db() -> None:
    """The store's schema."""


@db.command()
def upgrade(store: o.Store = None, json: o.Json = False) -> int:
    """Bring a store to the schema of this version; a SQLite file is copied first.

    Opening a store does the same: this is for after a restore, and before many start.
    """
    from aistrale_lab.cli import database as command
    from aistrale_lab.cli.showing import Showing

    return command.upgrade(Showing(store, json))


user = typer.Typer(help="Who may sign in to the team server.")
team.add_typer(user, name="user")


@user.command("add")
def user_add(
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
    from aistrale_lab.cli.showing import Showing

    showing = Showing(store, json)
    return command.add(name, showing, admin=admin, from_stdin=password_stdin)


@user.command("list")
def user_list(store: o.Store = None, json: o.Json = False) -> int:
    """List the users."""
    from aistrale_lab.cli import user as command
    from aistrale_lab.cli.showing import Showing

    return command.list_users(Showing(store, json))
