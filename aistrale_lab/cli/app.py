"""The commands: parse, call, return the exit code.

Nothing heavy is imported here: each command loads what it needs when it runs, so
that `aistrale --help` is there at once.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from aistrale_lab.cli import options as o
from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.team import team

app = typer.Typer(
    name="aistrale",
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
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


@app.command()
def demo(store: o.Store = None, json: o.Json = False, quiet: o.Quiet = False) -> int:
    """Run the main job on the models in the box: no key, no network.

    A prompt set of arithmetic goes to baseline models over real HTTP on this
    machine; it ends with the table that every run ends with.
    """
    from aistrale_lab.cli import demo as command
    from aistrale_lab.cli.showing import Showing

    return command.demo(Showing(store, json, quiet))


@app.command()
def run(
    dataset: o.DatasetFile,
    model: o.Models,
    prompt: o.Prompt = "{{ input }}",
    system: o.System = None,
    scorer: o.Scorers = None,
    epochs: o.Epochs = 1,
    limit: o.Limit = None,
    param: o.Params = None,
    input: o.InputField = None,
    target: o.TargetField = None,
    id: o.IdField = None,
    group: o.GroupField = None,
    concurrency: o.Concurrency = None,
    timeout: o.Timeout = None,
    retries: o.Retries = None,
    rpm: o.Rpm = None,
    tpm: o.Tpm = None,
    budget: o.Budget = None,
    no_stream: o.NoStream = False,
    name: o.Name = None,
    tag: o.Tags = None,
    store: o.Store = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Run a prompt set across models and print the table.

    Every answer is on disk before it counts as done. Examples:

    `aistrale run questions.jsonl -m openai/gpt-5-mini --scorer number`

    `aistrale run q.csv --input question --target answer --scorer exact
    -m embedded/nearest -m huggingface/Qwen/Qwen3-8B --param temperature=0,0.7`
    """
    from aistrale_lab.cli import run as command
    from aistrale_lab.cli.showing import Showing

    asked = command.Asked(
        dataset=dataset,
        models=model,
        prompt=prompt,
        system=system,
        scorers=scorer or (),
        epochs=epochs,
        limit=limit,
        params=param or (),
        fields={"input": input, "target": target, "id": id, "group": group},
        name=name,
        tags=tag or (),
    )
    return command.run(
        asked,
        Showing(store, json, quiet),
        concurrency=concurrency,
        timeout=timeout,
        retries=retries,
        rpm=rpm,
        tpm=tpm,
        budget=budget,
        stream=False if no_stream else None,
    )


@app.command()
def resume(
    which: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT|RUN", help="An id, or an unambiguous beginning of one."
        ),
    ],
    failed: Annotated[
        bool, typer.Option("--failed", help="Send permanent errors again too.")
    ] = False,
    concurrency: o.Concurrency = None,
    timeout: o.Timeout = None,
    retries: o.Retries = None,
    rpm: o.Rpm = None,
    tpm: o.Tpm = None,
    budget: o.Budget = None,
    store: o.Store = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Send only what is missing, and print the table over everything.

    Missing is a sample without a row, and one whose error may have passed: a rate
    limit, a lost connection, a deadline, a server's fault, a key that was refused.
    """
    from aistrale_lab.cli import run as command
    from aistrale_lab.cli.showing import Showing

    return command.resume(
        which,
        Showing(store, json, quiet),
        failed=failed,
        concurrency=concurrency,
        timeout=timeout,
        retries=retries,
        rpm=rpm,
        tpm=tpm,
        budget=budget,
    )


@app.command()
def batch(
    notebook: Annotated[
        Path,
        typer.Argument(
            metavar="NOTEBOOK|BATCH.yaml", help="A notebook, or a file that names one."
        ),
    ],
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="KEY=VALUE[,VALUE...]",
            help="Values of a parameter of the notebook; all are tried with all.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the executed notebooks go."),
    ] = None,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, help="Kernels at once.")] = 2,
    require: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EXPR",
            help="A gate such as 'number >= 0.8': the whole interval of every run must "
            "lie there, or the exit code is 1. May be given several times.",
        ),
    ] = None,
    junit: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write points and gates as JUnit XML."),
    ] = None,
    help_parameters: Annotated[
        bool,
        typer.Option("--help-parameters", help="Say what the notebook can be told."),
    ] = False,
    name: o.Name = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew, and pay again.")
    ] = False,
    pages: Annotated[
        bool,
        typer.Option(
            "--pages/--no-pages", help="Leave an index with pages and reports."
        ),
    ] = True,
    store: o.Store = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Execute a notebook at every point of a grid; what is stored is not paid again.

    The same command again goes on where it was stopped, whatever stopped it.

    `aistrale batch notebooks/03_batch.ipynb -p model=embedded/small,embedded/mini
    -p temperature=0,0.7 --out out`
    """
    from aistrale_lab.cli import batch as command
    from aistrale_lab.cli.showing import Showing

    if help_parameters:
        return command.help_parameters(notebook)
    if out is None:
        raise typer.BadParameter("name a folder for the notebooks: --out DIR")
    return command.batch(
        notebook,
        Showing(store, json, quiet),
        words=param or (),
        out=out,
        jobs=jobs,
        require=require or (),
        junit=junit,
        name=name,
        fresh=fresh,
        pages=pages,
    )


@app.command()
def runs(
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only the newest N.")
    ] = None,
    store: o.Store = None,
    json: o.Json = False,
) -> int:
    """List the runs of the store, newest first."""
    from aistrale_lab.cli import show as command
    from aistrale_lab.cli.showing import Showing

    return command.list_runs(Showing(store, json), limit=limit)


@app.command()
def show(
    which: o.Which,
    limit: Annotated[
        int, typer.Option(metavar="N", min=0, help="How many answers to show.")
    ] = 5,
    failed: Annotated[
        bool, typer.Option("--failed", help="Show only the samples that failed.")
    ] = False,
    store: o.Store = None,
    json: o.Json = False,
) -> int:
    """Show a run: its settings, its summary, and its first answers."""
    from aistrale_lab.cli import show as command
    from aistrale_lab.cli.showing import Showing

    return command.show(which, Showing(store, json), limit=limit, failed=failed)


@app.command()
def compare(
    baseline: Annotated[
        str, typer.Argument(metavar="BASELINE", help="A run's id, or its beginning.")
    ],
    candidate: Annotated[
        str, typer.Argument(metavar="CANDIDATE", help="The run held against it.")
    ],
    require: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EXPR",
            help="A gate on a difference, such as 'number >= -0.01': the whole interval "
            "must lie there, or the exit code is 1. May be given several times.",
        ),
    ] = None,
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="Pair runs of other datasets or prompts too."),
    ] = False,
    store: o.Store = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Say whether one run is better than another, and how sure that is.

    `aistrale compare BASELINE CANDIDATE --require "exact > 0"`
    """
    from aistrale_lab.cli import compare as command
    from aistrale_lab.cli.showing import Showing

    return command.compare(
        baseline,
        candidate,
        Showing(store, json, quiet),
        require=require or (),
        anyway=anyway,
    )


@app.command()
def leaderboard(
    which: o.Which,
    metric: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The scorer to rank by. Default: the first."),
    ] = None,
    store: o.Store = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Rank the models of an experiment, and say who is tied with the best."""
    from aistrale_lab.cli import leaderboard as command
    from aistrale_lab.cli.showing import Showing

    return command.leaderboard(which, Showing(store, json, quiet), metric=metric)


@app.command()
def score(
    which: o.Which,
    scorer: o.Scorers = None,
    store: o.Store = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Score stored answers again, without a single call.

    `aistrale score RUN --scorer exact --scorer "year=pattern:19[0-9][0-9]"`
    """
    from aistrale_lab.cli import show as command
    from aistrale_lab.cli.showing import Showing

    return command.score(which, scorer or (), Showing(store, json, quiet))


@app.command()
def export(
    which: o.Which,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Its suffix chooses: .jsonl, .csv or .parquet."
        ),
    ],
    raw: Annotated[
        bool, typer.Option("--raw", help="Leave formulas in CSV cells as they are.")
    ] = False,
    store: o.Store = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Write results to a file, one row per answer.

    In CSV, a cell that a spreadsheet would take for a formula gets an apostrophe in
    front. A file that exists is replaced only once the new one is complete.
    """
    from aistrale_lab.cli import show as command
    from aistrale_lab.cli.showing import Showing

    return command.export(which, file, Showing(store, json, quiet), raw=raw)


@app.command()
def report(
    which: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT", help="An id, or an unambiguous beginning of one."
        ),
    ],
    to: Annotated[
        Path,
        typer.Option("--to", metavar="FILE", help="Its suffix chooses: .html or .md."),
    ],
    title: Annotated[
        str,
        typer.Option(metavar="TEXT", help="Its heading. Default: the name."),
    ] = "",
    store: o.Store = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Write the report of an experiment as one file, to read and to pass on.

    What was asked, where it comes from, leaderboards with intervals, plots, the two
    best compared, worst and flipped samples, failures, cost. A page loads nothing and
    runs nothing. Persons and machines are not named in it.

    `aistrale report EXPERIMENT --to report.html --title "Which model adds best?"`
    """
    from aistrale_lab.cli import reporting as command
    from aistrale_lab.cli.showing import Showing

    return command.report(which, to, Showing(store, json, quiet), title=title)


@app.command()
def plan(
    dataset: Annotated[
        str | None, typer.Argument(metavar="DATASET", help="A prompt set.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", metavar="MODEL", help="Whom to ask."),
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="Say how wrong the forecast of this run was instead."
        ),
    ] = None,
    pilot: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="A run or experiment that tells the costs."),
    ] = None,
    effect: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="A difference to show, such as 0.05."),
    ] = None,
    output_tokens: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="What an answer is taken to have."),
    ] = None,
    prompt: o.Prompt = "{{ input }}",
    system: o.System = None,
    scorer: o.Scorers = None,
    epochs: o.Epochs = 1,
    limit: o.Limit = None,
    param: o.Params = None,
    input: o.InputField = None,
    target: o.TargetField = None,
    id: o.IdField = None,
    group: o.GroupField = None,
    concurrency: o.Concurrency = None,
    rpm: o.Rpm = None,
    tpm: o.Tpm = None,
    budget: o.Budget = None,
    store: o.Store = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Say what a run would take and what it could show; nothing is sent.

    `aistrale plan questions.jsonl -m openai/gpt-5-mini --pilot RUN --effect 0.05`
    """
    from aistrale_lab.cli import plan as command
    from aistrale_lab.cli.run import Asked
    from aistrale_lab.cli.showing import Showing

    showing = Showing(store, json, quiet)
    if score is not None:
        return command.score(score, showing)
    if dataset is None or not model:
        raise typer.BadParameter("name a DATASET and a model (-m), or --score RUN")
    asked = Asked(
        dataset=dataset,
        models=model,
        prompt=prompt,
        system=system,
        scorers=scorer or (),
        epochs=epochs,
        limit=limit,
        params=param or (),
        fields={"input": input, "target": target, "id": id, "group": group},
    )
    return command.plan(
        asked,
        showing,
        pilot=pilot,
        effect=effect,
        output_tokens=output_tokens,
        concurrency=concurrency,
        rpm=rpm,
        tpm=tpm,
        budget=budget,
    )


app.add_typer(team)

selftest = typer.Typer(help="Is what we measure true on this machine?")
app.add_typer(selftest, name="selftest")


@selftest.callback()
def _selftest() -> None:
    """Is what we measure true on this machine?"""


@selftest.command()
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
    from aistrale_lab.cli.showing import Showing

    return command.latency(
        Showing(None, json),
        ttft=ttft,
        itl=itl,
        concurrency=concurrency,
        calls=calls,
        tokens=tokens,
    )


@app.command()
def doctor(store: o.Store = None, json: o.Json = False) -> int:
    """Say what is installed, set and readable here; never prints a key."""
    from aistrale_lab.cli import doctor as command
    from aistrale_lab.cli.showing import Showing

    return command.doctor(Showing(store, json))


@app.command()
def embedded(
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="0 takes a free one.")
    ] = 0,
) -> int:
    """Serve the models in the box, in OpenAI's API, to this machine alone."""
    from aistrale_lab.cli import servers as command

    return command.embedded(port)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
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


def call(words: Sequence[str]) -> int:
    """Run a command line without ending the program; returns the exit code."""
    found = app(list(words), prog_name="aistrale", standalone_mode=False)
    return int(found or Exit.DONE)
