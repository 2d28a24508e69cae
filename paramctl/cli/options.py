"""Options and arguments that several verbs share."""

from enum import StrEnum
from typing import Annotated, Literal

import typer

from paramctl.checkpoint import MAX_HEADER_BYTES, ReadOptions
from paramctl.cli.completion import complete_arguments

READING = "Reading"
OUTPUT = "Output"


class ListingFormat(StrEnum):
    """How a listing is written."""

    TREE = "tree"
    TABLE = "table"
    TSV = "tsv"
    JSON = "json"
    JSONL = "jsonl"
    NAMES = "names"


ModelAndAddresses = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL] [ADDRESS]...",
        help="A file or folder, '-' for standard input, or $PARAMCTL_MODEL where none is named; "
        "then layers or parameters: 2.bias, [0][1], '*.bias', '2.weight[0,:5]'.",
        autocompletion=complete_arguments,
        show_default=False,
    ),
]
Key = Annotated[
    str,
    typer.Option(
        "--key",
        metavar="KEY",
        help="List this part of a training checkpoint: optimizer, ema.",
        rich_help_panel=READING,
        show_default=False,
    ),
]
Everything = Annotated[
    bool,
    typer.Option(
        "--all", help="List every tensor of a training checkpoint.", rich_help_panel=READING
    ),
]
FailOnGlobals = Annotated[
    bool,
    typer.Option(
        "--fail-on-globals",
        help="Exit 4 if the file names code that a loader would run.",
        rich_help_panel=READING,
    ),
]
MaxHeaderBytes = Annotated[
    int,
    typer.Option(
        "--max-header-bytes",
        metavar="N",
        min=0,
        max=MAX_HEADER_BYTES,
        help="The longest header or index that is read.",
        rich_help_panel=READING,
    ),
]
NoFollow = Annotated[
    bool,
    typer.Option(
        "--no-follow", help="Refuse shards that are symbolic links.", rich_help_panel=READING
    ),
]
ColorMode = Annotated[
    Literal["auto", "always", "never"],
    typer.Option("--color", help="Colour the output.", rich_help_panel=OUTPUT),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No notes on stderr.", rich_help_panel=OUTPUT)
]

DEFAULTS = ReadOptions()
