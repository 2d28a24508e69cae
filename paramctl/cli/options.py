"""Options and arguments that several verbs share."""

from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple

import typer

from paramctl.checkpoint import MAX_HEADER_BYTES, ReadOptions
from paramctl.cli.names import list_classes, list_keys, list_names

READING = "Reading"
OUTPUT = "Output"
DEFAULTS = ReadOptions()


class ListingFormat(StrEnum):
    """How a listing is written."""

    TREE = "tree"
    TABLE = "table"
    TSV = "tsv"
    JSON = "json"
    JSONL = "jsonl"
    NAMES = "names"


class TableFormat(StrEnum):
    """How numbers are written: as people or as programs read them."""

    TABLE = "table"
    TSV = "tsv"
    JSON = "json"


TableForm = Annotated[
    TableFormat | None,
    typer.Option(
        "--format",
        help="How to show it: a table on a terminal, TSV in a pipe.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]


class Output(NamedTuple):
    """What every verb takes for the Environment: how it talks."""

    color: Annotated[
        Literal["auto", "always", "never"],
        typer.Option("--color", help="Colour the output.", rich_help_panel=OUTPUT),
    ] = "auto"
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No notes on stderr.", rich_help_panel=OUTPUT)
    ] = False


class Reading(NamedTuple):
    """What every verb that reads a model takes: which part of it, and how far to trust the file."""

    key: Annotated[
        str,
        typer.Option(
            "--key",
            metavar="KEY",
            help="Read this part of a training checkpoint: optimizer, ema.",
            rich_help_panel=READING,
            show_default=False,
        ),
    ] = DEFAULTS.key
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Read every tensor of a training checkpoint.", rich_help_panel=READING
        ),
    ] = DEFAULTS.everything
    max_header_bytes: Annotated[
        int,
        typer.Option(
            "--max-header-bytes",
            metavar="N",
            min=0,
            max=MAX_HEADER_BYTES,
            help="The longest header or index that is read.",
            rich_help_panel=READING,
        ),
    ] = DEFAULTS.max_header_bytes
    no_follow: Annotated[
        bool,
        typer.Option(
            "--no-follow", help="Refuse shards that are symbolic links.", rich_help_panel=READING
        ),
    ] = not DEFAULTS.follow
    fail_on_globals: Annotated[
        bool,
        typer.Option(
            "--fail-on-globals",
            help="Exit 4 if the file names code that a loader would run.",
            rich_help_panel=READING,
        ),
    ] = False

    @property
    def options(self) -> ReadOptions:
        """What of it a reader needs to know."""
        return ReadOptions(self.key, self.everything, self.max_header_bytes, not self.no_follow)


def complete_addresses(ctx: Any, incomplete: str) -> list[str]:
    """Return the names in the model that begin with what is typed."""
    return list_names(ctx.params["arguments"] or [], incomplete, _read_options(ctx))


def complete_keys(ctx: Any, incomplete: str) -> list[str]:
    """Return the keys of the metadata that begin with what is typed."""
    return list_keys(ctx.params["arguments"] or [], incomplete, _read_options(ctx))


def _complete_classes(ctx: Any, incomplete: str) -> list[str]:
    return list_classes(ctx.params["arguments"] or [], incomplete, _read_options(ctx))


def _read_options(ctx: Any) -> ReadOptions:
    return Reading(*(ctx.params[name] for name in Reading._fields)).options


class Filtering(NamedTuple):
    """What every verb that takes addresses takes beside them: which layers they are to be in."""

    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="CLASS",
            help="Only what is in layers of this class, or below them: Linear, as ls shows it.",
            autocompletion=_complete_classes,
            show_default=False,
        ),
    ] = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, none where every layer counts."""
        return tuple(self.types or ())


MODEL_HELP = "A file, folder or URL, '-' for standard input, or $PARAMCTL_MODEL if none is named"
ModelAlone = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL]", help=f"{MODEL_HELP}; or a spec, or a factory.", show_default=False
    ),
]
ModelAndOther = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL] [OTHER]",
        help="A file, folder or URL, or $PARAMCTL_MODEL; then another to compare it with.",
        show_default=False,
    ),
]
ModelAndLayers = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL] [ADDRESS]...",
        help=f"{MODEL_HELP}; then layers or parameters: 2.bias, [0][1], '*.bias'.",
        autocompletion=complete_addresses,
        show_default=False,
    ),
]
ModelAndAddresses = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL] [ADDRESS]...",
        help=f"{MODEL_HELP}; then layers, parameters or slices: 2, '*.bias', '2.weight[0,:5]'.",
        autocompletion=complete_addresses,
        show_default=False,
    ),
]
ModelAndStatements = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL] STATEMENT...",
        help=f"{MODEL_HELP}; then statements: '0.weight += 1', '0.weight[0,0] = 42', '*.bias = 0'.",
        show_default=False,
    ),
]
