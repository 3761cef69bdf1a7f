"""The commands that ask models, or say what asking would take."""

from pathlib import Path
from typing import Annotated

import typer

from aistrale_lab.cli import options as o


def demo(store: o.Store = None, json: o.Json = False, quiet: o.Quiet = False) -> int:
    """Run the main job on the models in the box: no key, no network.

    A prompt set of arithmetic goes to baseline models over real HTTP on this
    machine; it ends with the table that every run ends with.
    """
    from aistrale_lab.cli import demo as command

    return command.demo(o.Showing(store, json, quiet))


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
        o.Showing(store, json, quiet),
        concurrency=concurrency,
        timeout=timeout,
        retries=retries,
        rpm=rpm,
        tpm=tpm,
        budget=budget,
        stream=False if no_stream else None,
    )


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

    return command.resume(
        which,
        o.Showing(store, json, quiet),
        failed=failed,
        concurrency=concurrency,
        timeout=timeout,
        retries=retries,
        rpm=rpm,
        tpm=tpm,
        budget=budget,
    )


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

    if help_parameters:
        return command.help_parameters(notebook)
    if out is None:
        raise typer.BadParameter("name a folder for the notebooks: --out DIR")
    return command.batch(
        notebook,
        o.Showing(store, json, quiet),
        words=param or (),
        out=out,
        jobs=jobs,
        require=require or (),
        junit=junit,
        name=name,
        fresh=fresh,
        pages=pages,
    )


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

    showing = o.Showing(store, json, quiet)
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
