"""The commands, declared in the order of `aistrale --help`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer

from aistrale_lab.cli.commands import asking, machine, reading, team
from aistrale_lab.cli.exits import Exit

Command = Callable[..., int]
"""Takes its options, parsed, and returns the exit code."""

COMMANDS: Sequence[Command] = (
    asking.demo,
    asking.run,
    asking.resume,
    asking.batch,
    reading.runs,
    reading.show,
    reading.compare,
    reading.leaderboard,
    reading.score,
    reading.export,
    reading.report,
    asking.plan,
    machine.doctor,
    machine.embedded,
    machine.lab,
    team.push,
    team.pull,
    team.serve,
)

GROUPS: Mapping[str, tuple[str, Mapping[str, Command]]] = {
    "db": ("The store's schema.", {"upgrade": team.upgrade}),
    "user": (
        "Who may sign in to the team server.",
        {"add": team.add_user, "list": team.list_users},
    ),
    "selftest": (
        "Is what we measure true on this machine?",
        {"latency": machine.latency},
    ),
}
"""What is said of each group, and its commands."""

PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
"""The settings of a command that gives what it does not know to another program."""


def call(words: Sequence[str]) -> int:
    """Run a command line without ending the program; returns the exit code."""
    found = make_app()(list(words), prog_name="aistrale", standalone_mode=False)
    return int(found or Exit.DONE)


def make_app() -> typer.Typer:
    """The program, with all its commands."""
    app = typer.Typer(
        name="aistrale",
        add_completion=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(aistrale)
    for command in COMMANDS:
        settings = PASSED_ON if command is machine.lab else None
        app.command(context_settings=settings)(command)
    for name, (told, members) in GROUPS.items():
        group = typer.Typer(name=name, help=told)
        for own_name, command in members.items():
            group.command(own_name)(command)
        app.add_typer(group)
    return app


def aistrale(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.")
    ] = False,
) -> None:
    """Run prompt sets across language models; get a table with error bars.

    Start with `aistrale demo`: no key, no network.

    Exit codes: 0 done; 1 a gate was not met; 2 bad usage or input, nothing sent; 3
    some samples failed; 4 stopped by the budget; 5 the store or the machine failed;
    130 interrupted (143 on SIGTERM), and `aistrale resume` goes on.
    """
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"aistrale {version_of('aistrale-lab')}")
        raise typer.Exit(Exit.DONE)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)
        raise typer.Exit(Exit.USAGE)
