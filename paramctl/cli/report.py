"""`paramctl report`: a model on one page."""

from typing import Annotated

import typer

from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.options import ModelAlone, Reading
from paramctl.cli.progress import show_progress
from paramctl.cli.saving import STDOUT_NAME
from paramctl.errors import UsageError
from paramctl.formats import open_checkpoint
from paramctl.views.escaping import escape
from paramctl.views.units import format_bytes
from paramctl.writer.files import check_place, save_bytes

EXAMPLES = """
$ paramctl report sample_models/gpt2 -o /tmp/gpt2.html --force --quiet

$ paramctl report sample_models/mlp.pt --against sample_models/shared.pt | grep '^<title>'
<title>mlp.pt · paramctl report</title>
"""


def run(
    environment: Environment,
    reading: Reading,
    arguments: ModelAlone = None,
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The page, .html; - for stdout, where it goes in a pipe anyway.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="OTHER",
            help="Compare with another model: names, shapes, types, ties, values.",
            show_default=False,
        ),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace the page if it exists.")] = False,
) -> None:
    """Make a page of a model: treemap, tree, histograms, ties, findings, metadata."""
    path = _choose_path(environment, output, force=force)
    checkpoint, rest = open_model(environment, arguments, reading)
    if rest:
        raise UsageError(f"one model at a time, not '{rest[0]}' too", hint="--against compares two")
    other = open_checkpoint(against, reading.options) if against else None
    from paramctl.report.making import make_report  # noqa: PLC0415 (loads numpy)

    with show_progress(environment) as progress:
        page = make_report(checkpoint, other, progress)
    if path:
        for note in save_bytes(page, path, force=force):
            environment.note(escape(note))
        environment.note(escape(f"wrote {path}, {format_bytes(len(page))}"))
    else:
        environment.write_bytes(page)


def _choose_path(environment: Environment, output: str | None, *, force: bool) -> str:
    """Return where the page goes, "" for standard output.

    Raises:
        UsageError: it would go to a terminal, it has another name, or it is there already.
        FileError: there is no such folder.
    """
    if output in (None, STDOUT_NAME):
        if environment.out_is_terminal:
            raise UsageError("a page is nothing for a terminal", hint="name a file: -o report.html")
        return ""
    from paramctl.report.making import check_name  # noqa: PLC0415 (loads numpy)

    check_name(output)
    check_place(output, force=force)
    return output
