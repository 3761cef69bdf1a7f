"""The commands of this machine: what it measures, has, serves and shows."""

from pathlib import Path
from typing import Annotated

import typer

from aistrale_lab.cli import options as o


def latency(
    ttft: Annotated[
        float, typer.Option(metavar="MS", min=0, help="The server's first token.")
    ] = 120,
    itl: Annotated[
        float, typer.Option(metavar="MS", min=0, help="Between its tokens.")
    ] = 8,
    concurrency: Annotated[
        int, typer.Option(metavar="N", min=1, help="Calls in flight.")
    ] = 64,
    calls: Annotated[int, typer.Option(metavar="N", min=1, help="Calls in all.")] = 512,
    tokens: Annotated[
        int, typer.Option(metavar="N", min=2, help="Tokens of an answer.")
    ] = 20,
    json: o.Json = False,
) -> int:
    """Hold our times against those of a server that knows when it sent what."""
    from aistrale_lab.cli import selftest as command

    return command.latency(
        o.Showing(None, json),
        ttft=ttft,
        itl=itl,
        concurrency=concurrency,
        calls=calls,
        tokens=tokens,
    )


def doctor(store: o.Store = None, json: o.Json = False) -> int:
    """Say what is installed, set and readable here; never prints a key."""
    from aistrale_lab.cli import doctor as command

    return command.doctor(o.Showing(store, json))


def embedded(
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="0 takes a free one.")
    ] = 0,
) -> int:
    """Serve the models in the box, in OpenAI's API, to this machine alone."""
    from aistrale_lab.cli import servers as command

    return command.embedded(port)


def lab(
    context: typer.Context,
    dir: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where the notebooks are, or are copied to. Default: here if they "
            "are here, else ./aistrale-notebooks.",
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address.")
    ] = False,
) -> int:
    """Open JupyterLab on the notebooks; needs the extra "notebook".

    Files that are there are never overwritten. What else is given goes to Jupyter,
    such as `--port=8890`.
    """
    from aistrale_lab.cli import workbench as command

    return command.lab(dir, context.args, browser=not no_browser)
