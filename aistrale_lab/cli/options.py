"""The options that commands share, with their help."""

from dataclasses import dataclass
from typing import Annotated

import typer

ASKED, COLUMNS, PACE, ANSWER = "What is asked", "Columns", "How", "The answer"
"""The panels of `--help`."""

Store = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        rich_help_panel=ANSWER,
        help="Where results are kept. Default: AISTRALE_STORE, or sqlite:///aistrale.db "
        "in the working folder.",
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        rich_help_panel=ANSWER,
        help="Print one JSON value instead of a table; numbers are not rounded.",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        rich_help_panel=ANSWER,
        help="Show no progress; say only what is missing.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=ANSWER,
        help="The experiment's name. Default: the prompt set's.",
    ),
]
Tags = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        rich_help_panel=ANSWER,
        help="A note to keep with the experiment. May be given several times.",
    ),
]
Which = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="The id of a run or an experiment, or an unambiguous beginning of one.",
    ),
]
Experiments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[EXPERIMENT...]",
        help="Ids, or unambiguous beginnings of them. Default: all experiments.",
    ),
]
DatasetFile = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        help="A prompt set: a JSONL, JSON, CSV, TSV, YAML or Parquet file.",
    ),
]
Models = Annotated[
    list[str],
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        rich_help_panel=ASKED,
        help="Whom to ask, as provider/model. May be given several times.",
    ),
]
Prompt = Annotated[
    str,
    typer.Option(
        metavar="TEXT|@FILE",
        rich_help_panel=ASKED,
        help="The user's turn, a Jinja template over the sample's fields.",
    ),
]
System = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT|@FILE",
        rich_help_panel=ASKED,
        help="The system's turn, a template too.",
    ),
]
Scorers = Annotated[
    list[str] | None,
    typer.Option(
        "--scorer",
        metavar="NAME[:ARG]",
        rich_help_panel=ASKED,
        help="Judge the answers: exact, includes, pattern:REGEX, number, choice, f1, "
        "similarity, chrf, bleu, json, length. May be given several times; "
        "LABEL=NAME:ARG gives it another name.",
    ),
]
Epochs = Annotated[
    int,
    typer.Option(
        metavar="N", min=1, rich_help_panel=ASKED, help="Ask each sample so many times."
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, rich_help_panel=ASKED, help="Only the first N samples."
    ),
]
Params = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE[,VALUE...]",
        rich_help_panel=ASKED,
        help="A setting of the calls, such as temperature=0 or max_tokens=200; several "
        "values are tried one by one. extra.KEY goes to the provider as it is.",
    ),
]
InputField = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD",
        rich_help_panel=COLUMNS,
        help="The column with the question, or a Jinja expression in braces.",
    ),
]
TargetField = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD",
        rich_help_panel=COLUMNS,
        help="The column with the expected answer, or an expression in braces.",
    ),
]
IdField = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD",
        rich_help_panel=COLUMNS,
        help="The column with the sample's id. Default: the record's number.",
    ),
]
GroupField = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD",
        rich_help_panel=COLUMNS,
        help="The column that clusters samples which belong together.",
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        rich_help_panel=PACE,
        help="Calls in flight for each model. Default: 16.",
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        metavar="S",
        rich_help_panel=PACE,
        help="Seconds that one call may take in all. Default: 600.",
    ),
]
Retries = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        rich_help_panel=PACE,
        help="Tries after the first, for errors that may pass. Default: 5.",
    ),
]
Rpm = Annotated[
    int | None,
    typer.Option(
        metavar="N", rich_help_panel=PACE, help="Calls a minute for each model."
    ),
]
Tpm = Annotated[
    int | None,
    typer.Option(
        metavar="N", rich_help_panel=PACE, help="Tokens a minute for each model."
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        metavar="USD",
        rich_help_panel=PACE,
        help="Never spend more than this; needs known prices and max_tokens.",
    ),
]
NoStream = Annotated[
    bool,
    typer.Option(
        "--no-stream",
        rich_help_panel=PACE,
        help="Ask for whole answers; the time to first token stays unknown.",
    ),
]


@dataclass(frozen=True, slots=True)
class Showing:
    """The options that every command has: which store, and which form of answer."""

    store: str | None = None
    json: bool = False
    quiet: bool = False
