"""Where an edited model goes: a file, the file that it was read from, or standard output."""

from collections.abc import Callable, Iterable
from typing import Annotated, Literal, NamedTuple

import typer

from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.cli.listing import Listing
from paramctl.cli.models import STDIN_NAME
from paramctl.cli.progress import show_progress
from paramctl.cli.suffixes import check_suffix
from paramctl.errors import UsageError
from paramctl.sources import URL_SCHEMES
from paramctl.views.changes import Changes
from paramctl.views.escaping import escape
from paramctl.views.summary import list_others
from paramctl.views.units import format_bytes
from paramctl.writer import Report, WriteOptions, check, save, stream
from paramctl.writer.files import check_place
from paramctl.writer.formats import choose_format
from paramctl.writer.options import DCP, SAFETENSORS
from paramctl.writer.shards import parse_size

SAVING = "Saving"
STDOUT_NAME = "-"


class Saving(NamedTuple):
    """What every verb that changes a model takes: where the changed one goes, and how."""

    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write this file, a folder with --max-shard-size; - for stdout.",
            rich_help_panel=SAVING,
            show_default=False,
        ),
    ] = None
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


class Destination(NamedTuple):
    """Where a changed model goes: a file, or standard output where `path` is "".

    Nowhere if `is_plan`: what would change is shown.
    """

    environment: Environment
    saving: Saving
    path: str
    options: WriteOptions
    is_plan: bool

    def save(
        self, edited: Checkpoint, show: Callable[[], Changes], notes: Iterable[str] = ()
    ) -> None:
        """Write the changed model, or what `show` says of it, and tell the verb's `notes`.

        Raises:
            ParamctlError: the model cannot be written; nothing else is told.
        """
        environment = self.environment
        if self.is_plan:
            _note(environment, edited, (*notes, *check(edited, self.options)))
            _write_plan(self, edited, show())
            return
        with show_progress(environment) as progress:
            if self.path:
                report = save(edited, self.path, self.options, progress)
            else:
                report = stream(edited, environment.write_bytes, self.options, progress)
        _note(environment, edited, (*notes, *report.notes))
        _note_report(environment, self.path, report)


def choose_destination(
    environment: Environment, saving: Saving, checkpoint: Checkpoint, *, any_format: bool = False
) -> Destination:
    """Return where the options say that the changed model goes.

    On a terminal without a file to write to, and in a dry run, only what would change is shown.
    With `any_format` the file's name says in which it is written; else that is safetensors.

    Raises:
        UsageError: the options contradict each other, or the file cannot be replaced.
    """
    if saving.output == STDOUT_NAME:
        saving = saving._replace(output=None)
    _check_options(saving, checkpoint)
    path = checkpoint.file if saving.in_place else saving.output or ""
    written = _choose_format(saving, any_format=any_format)
    if path and not (saving.dry_run or saving.max_shard_size):
        check_place(path, force=saving.force or saving.in_place or written == DCP)
    size = parse_size(saving.max_shard_size) if saving.max_shard_size else None
    options = WriteOptions(saving.ties, size, saving.force or saving.in_place, written)
    is_plan = saving.dry_run or (not path and environment.out_is_terminal)
    return Destination(environment, saving, path, options, is_plan)


def _check_options(saving: Saving, checkpoint: Checkpoint) -> None:
    if saving.output == "":
        raise UsageError("an empty -o", hint="name a file, or leave -o out")
    if saving.output and saving.in_place:
        raise UsageError("both -o and -i", hint="-i replaces the file, -o writes another")
    if saving.max_shard_size and not saving.output:
        raise UsageError("--max-shard-size needs a folder to write to", hint="-o FOLDER")
    if saving.in_place and not _is_replaceable(checkpoint):
        what = checkpoint.format if _is_file(checkpoint) else "no file"
        raise UsageError(
            f"-i replaces a safetensors file, this is {what}",
            hint=f"{_elsewhere(checkpoint)} writes another",
            file=checkpoint.file,
        )


def _choose_format(saving: Saving, *, any_format: bool) -> str:
    """Return the format that the output's name asks for; safetensors if it has none, as in a pipe.

    Raises:
        UsageError: it asks for none that is written, or for another where that is safetensors.
    """
    path, is_sharded = saving.output, bool(saving.max_shard_size)
    if path and (any_format or is_sharded):
        return choose_format(path, is_sharded=is_sharded)
    if path:
        check_suffix(path)
    return SAFETENSORS


def _elsewhere(checkpoint: Checkpoint) -> str:
    """Return the options that write a model like this one."""
    is_sharded = checkpoint.format.startswith("sharded")
    return "-o FOLDER --max-shard-size 5GB" if is_sharded else "-o FILE"


def _is_replaceable(checkpoint: Checkpoint) -> bool:
    return checkpoint.format == "safetensors" and _is_file(checkpoint)


def _is_file(checkpoint: Checkpoint) -> bool:
    return checkpoint.file != STDIN_NAME and not checkpoint.file.startswith(URL_SCHEMES)


def _write_plan(destination: Destination, edited: Checkpoint, changes: Changes) -> None:
    environment = destination.environment
    if environment.out_is_terminal:
        shown = changes.checkpoint or edited
        Listing(environment, shown, changes.rows).write_changes(changes)
    else:
        environment.write_lines(changes.lines)
    if not destination.saving.dry_run:
        environment.flush()
        or_replace = ", or -i to replace the file itself" if _is_replaceable(edited) else ""
        environment.note(f"nothing is written; add -o FILE{or_replace}")


def _note(environment: Environment, edited: Checkpoint, notes: Iterable[str]) -> None:
    """Say what else of a training checkpoint there is that is no metadata either, and the notes."""
    others = edited.others.items()
    parts = [f"{key} ({what})" for key, what in others if key not in edited.metadata]
    left_out = [f"{edited.file}: not written: {list_others(parts)}"] if parts else []
    for note in (*left_out, *notes):
        environment.note(escape(note))


def _note_report(environment: Environment, path: str, report: Report) -> None:
    if path:
        count = f" in {len(report.files)} files" if len(report.files) > 1 else ""
        environment.note(escape(f"wrote {path}, {format_bytes(report.nbytes)}{count}"))
