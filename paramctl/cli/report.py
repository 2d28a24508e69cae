"""`paramctl report`: a model on one page."""

from typing import TYPE_CHECKING, Annotated

import typer

from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.options import ModelAlone, Reading
from paramctl.cli.pairing import compare
from paramctl.cli.progress import show_progress
from paramctl.cli.saving import STDOUT_NAME, check_place
from paramctl.errors import UsageError, blaming
from paramctl.formats import open_checkpoint
from paramctl.views.escaping import escape
from paramctl.views.units import format_bytes
from paramctl.writer.files import save_bytes

if TYPE_CHECKING:
    from paramctl.check.findings import Checked
    from paramctl.diff.comparison import Comparison
    from paramctl.report.values import Read

EXAMPLES = """
$ paramctl report sample_models/gpt2 -o /tmp/gpt2.html --force --quiet

$ paramctl report sample_models/mlp.pt --against sample_models/shared.pt | grep '^<title>'
<title>mlp.pt · paramctl report</title>
"""
SUFFIXES = (".html", ".htm")


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
    from paramctl.report.page import load_plotly, make_page  # noqa: PLC0415 (only here)

    plotly = load_plotly()
    checkpoint, rest = open_model(environment, arguments, reading)
    if rest:
        raise UsageError(f"one model at a time, not '{rest[0]}' too", hint="--against compares two")
    other = open_checkpoint(against, reading.options) if against else None
    from paramctl.report.document import make_document  # noqa: PLC0415 (loads numpy)

    with blaming(checkpoint.file):
        comparison = _compare(environment, checkpoint, other) if other else None
        read = _read(environment, checkpoint, comparison)
        checked = _check(environment, checkpoint, read)
    page = make_page(make_document(checkpoint, read, checked, comparison), plotly)
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
    if not output.lower().endswith(SUFFIXES):
        raise UsageError("a page is HTML", hint="name it .html", file=output or "''")
    check_place(output, force=force)
    return output


def _compare(environment: Environment, a: Checkpoint, b: Checkpoint) -> "Comparison":
    from paramctl.diff.names import find_renamed, pair_names  # noqa: PLC0415 (loads numpy)
    from paramctl.diff.values import EXACT  # noqa: PLC0415 (the same)

    pairs = pair_names(a.entries, b.entries)
    pairs = find_renamed(pairs, a, b, set(pairs))
    return compare(environment, (a, b), pairs, EXACT)


def _read(
    environment: Environment, checkpoint: Checkpoint, comparison: "Comparison | None"
) -> "Read":
    """Read statistics and histograms, and of what differs those of the other model too."""
    from paramctl.report.values import read_values  # noqa: PLC0415 (loads numpy)

    others = {
        each.name: each.b
        for each in (comparison.parameters if comparison else ())
        if each.a is not None and each.b is not None and "values" in each.differs
    }
    with show_progress(environment) as progress:
        return read_values(checkpoint, others, progress)


def _check(environment: Environment, checkpoint: Checkpoint, read: "Read") -> "Checked":
    """Look for what may be wrong; what could not be read is told anyway."""
    from paramctl.check.checking import check  # noqa: PLC0415 (loads numpy)
    from paramctl.check.kinds import Kind  # noqa: PLC0415 (the same)

    aliases, missing = checkpoint.aliases, checkpoint.missing
    names = [n for n in checkpoint if n in missing or aliases.get(n, n) not in read.why]
    with show_progress(environment) as progress:
        return check(checkpoint, names, list(Kind), None, progress)
