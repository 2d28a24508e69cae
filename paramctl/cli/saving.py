"""Where an edited model goes: a file, the file that it was read from, or standard output."""

from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

import typer

from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.cli.models import STDIN_NAME
from paramctl.cli.progress import show_progress
from paramctl.errors import UsageError
from paramctl.views.escaping import escape
from paramctl.views.units import format_bytes
from paramctl.writer import Report, WriteOptions, save, stream
from paramctl.writer.shards import parse_size

SAVING = "Saving"


class Saving(NamedTuple):
    """What every verb that changes a model takes: where the changed one goes, and how."""

    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write a safetensors file, or with --max-shard-size a folder.",
            rich_help_panel=SAVING,
            show_default=False,
        ),
    ] = ""
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place",
            "-i",
            help="Replace the file that the model is read from.",
            rich_help_panel=SAVING,
        ),
    ] = False
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace the output if it exists.", rich_help_panel=SAVING),
    ] = False
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", "-n", help="Show what would be done.", rich_help_panel=SAVING),
    ] = False
    ties: Annotated[
        Literal["alias", "copy"],
        typer.Option(
            "--ties",
            help="Store tied parameters once, or again under every name.",
            rich_help_panel=SAVING,
        ),
    ] = "alias"
    max_shard_size: Annotated[
        str,
        typer.Option(
            "--max-shard-size",
            metavar="SIZE",
            help="Write a folder of files of at most this size: 5GB, 500MiB.",
            rich_help_panel=SAVING,
            show_default=False,
        ),
    ] = ""


def save_edit(
    environment: Environment,
    saving: Saving,
    edited: Checkpoint,
    write_plan: Callable[[], None],
) -> str:
    """Write an edited model where the options say, and return the path; "" for a stream or none.

    On a terminal without a file to write to, and in a dry run, only the plan is shown.

    Raises:
        UsageError: the options contradict each other, or the file cannot be replaced.
        ParamctlError: the model cannot be written.
    """
    path = _target(saving, edited)
    if saving.dry_run or not (path or not environment.out_is_terminal):
        write_plan()
        if not saving.dry_run:
            environment.note("nothing is written; add -o FILE, or -i to replace the file itself")
        return ""
    _note_left_out(environment, edited)
    size = parse_size(saving.max_shard_size) if saving.max_shard_size else None
    options = WriteOptions(saving.ties, size, saving.force or saving.in_place)
    with show_progress(environment) as progress:
        if path:
            report = save(edited, path, options, progress)
        else:
            report = stream(edited, environment.write_bytes, options, progress)
    _note_report(environment, path, report)
    return path


def _target(saving: Saving, edited: Checkpoint) -> str:
    """Return the path to write to, "" where none is named."""
    if saving.output and saving.in_place:
        raise UsageError("both -o and -i", hint="-i replaces the file, -o writes another")
    if saving.max_shard_size and not saving.output:
        raise UsageError("--max-shard-size needs a folder to write to", hint="-o FOLDER")
    if not saving.in_place:
        return saving.output
    if edited.format != "safetensors" or edited.file == STDIN_NAME:
        raise UsageError(
            f"-i replaces a safetensors file, this is {edited.format}",
            hint="-o writes another",
            file=edited.file,
        )
    return edited.file


def _note_left_out(environment: Environment, edited: Checkpoint) -> None:
    """Say what else of a training checkpoint there is that safetensors does not hold."""
    if edited.others:
        parts = ", ".join(f"{key} ({what})" for key, what in edited.others.items())
        environment.note(escape(f"{edited.file}: not written: {parts}"))


def _note_report(environment: Environment, path: str, report: Report) -> None:
    for note in report.notes:
        environment.note(escape(note))
    if path:
        count = f" in {len(report.files)} files" if len(report.files) > 1 else ""
        environment.note(escape(f"wrote {path}, {format_bytes(report.nbytes)}{count}"))
