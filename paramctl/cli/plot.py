"""`paramctl plot`: histograms, heat maps and spectra of parameters."""

import os
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from paramctl.addresses import Match, Resolver, keep_matches
from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.options import Filtering, ModelAndAddresses, Reading
from paramctl.cli.progress import show_progress
from paramctl.errors import UsageError, blaming
from paramctl.few import list_few
from paramctl.formats import open_checkpoint
from paramctl.views.escaping import escape
from paramctl.views.units import format_bytes
from paramctl.writer.files import check_place, save_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paramctl.views.plots import Kind, Plot, Size
    from paramctl.views.subjects import Refused, Subject

EXAMPLES = """
$ paramctl plot sample_models/mlp.pt 0
0.weight  [8, 4] float32                           0.bias  [8] float32
mean -0.0243, std 0.275                            mean -0.0961, std 0.317
3│            █                                    1│█    ██ █  █                    ██       █
 │            █                                     │█    ██ █  █                    ██       █
 │█     █     █    █   █     █             █        │█    ██ █  █                    ██       █
 │█     █     █    █   █     █             █        │█    ██ █  █                    ██       █
 │█ █ █ ██   ██ ████ █ ███   █ ██  █ █  ████        │█    ██ █  █                    ██       █
 │█ █ █ ██   ██ ████ █ ███   █ ██  █ █  ████        │█    ██ █  █                    ██       █
0└──────────────────────────────────────────       0└──────────────────────────────────────────
  -0.478                               0.453         -0.468                                0.43

$ paramctl plot sample_models/mlp.pt 0.weight --bins 3 | cat
0.weight	-0.4776742458343506	-0.16753679513931274	11
0.weight	-0.16753679513931274	0.1426006555557251	12
0.weight	0.1426006555557251	0.45273810625076294	9

$ paramctl plot sample_models/mlp.pt 0.weight --kind heat -o heat.png --force --quiet
"""

FORMATS = ("png", "svg", "pdf")
MAX_BINS = 10_000
MAX_NOTED = 3  # parameters that a note says of why they are left out


def run(
    environment: Environment,
    reading: Reading,
    filtering: Filtering,
    arguments: ModelAndAddresses = None,
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Draw a picture, .png, .svg or .pdf; else characters, or numbers in a pipe.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        Literal["hist", "heat", "spectrum"],
        typer.Option("--kind", help="Histograms; matrices as heat maps; their singular values."),
    ] = "hist",
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="OTHER",
            help="Draw another model over this one; a heat map is of it minus this one.",
            show_default=False,
        ),
    ] = "",
    bins: Annotated[
        int | None,
        typer.Option(
            "--bins",
            metavar="N",
            min=1,
            max=MAX_BINS,
            help="The bins of a histogram.",
            show_default="64, or as many as fit a terminal",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the picture if it exists.")
    ] = False,
) -> None:
    """Draw histograms, heat maps and spectra of parameters."""
    if output is not None:
        _check_picture(output, force=force)
    checkpoint, addresses = open_model(environment, arguments, reading)
    from paramctl.views.plots import Kind  # noqa: PLC0415 (loads numpy)

    models = [checkpoint] + ([open_checkpoint(against, reading.options)] if against else [])
    plotting = _Plotting(environment, Kind(kind), models)
    with blaming(checkpoint.file):
        subjects = plotting.choose(addresses, filtering.classes)
        size = plotting.size(bins, len(subjects), is_picture=output is not None)
        plots = plotting.find(subjects, size)
    if output is None:
        plotting.show(plots)
    else:
        plotting.draw(plots, output, force=force)


def _check_picture(path: str, *, force: bool) -> None:
    """Make sure that a picture can be written.

    Raises:
        UsageError: its name tells of no format, it is there already, or matplotlib is missing.
        FileError: there is no such folder.
    """
    if _format(path) not in FORMATS:
        known = ", ".join(f".{each}" for each in FORMATS)
        raise UsageError("its name tells of no format", hint=f"name it {known}", file=path or "''")
    check_place(path, force=force)
    from paramctl.views.matplotlib import load_matplotlib  # noqa: PLC0415 (an extra, and slow)

    load_matplotlib()


def _format(path: str) -> str:
    return os.path.splitext(path)[1].lower().removeprefix(".")


class _Plotting(NamedTuple):
    """The model, maybe another one, and what is plotted of both."""

    environment: Environment
    kind: "Kind"
    models: "list[Checkpoint]"

    @property
    def names(self) -> list[str]:
        """What the models are called: their files' names, or whole paths if they are alike."""
        paths = [model.file for model in self.models]
        names = [os.path.basename(path.rstrip("/")) or path for path in paths]
        return list(map(escape, names if len(set(names)) == len(names) else paths))

    def choose(self, addresses: list[str], classes: tuple[str, ...]) -> "list[Subject]":
        """Return the parameters that are plotted, and say which are not.

        Raises:
            ParamctlError: there is none, or there are too many.
        """
        from paramctl.views.plots import check_kind, check_number  # noqa: PLC0415 (loads numpy)
        from paramctl.views.subjects import (  # noqa: PLC0415 (the same)
            choose_subjects,
            drop_ties,
            join_subjects,
        )

        model, *others = self.models
        matches = drop_ties(model, _find_matches(model, addresses, classes))
        subjects, refused = choose_subjects(model, matches, check_kind(self.kind))
        for other in others:
            common = [each.match for each in subjects if each.match.name in other.entries]
            with blaming(other.file):
                theirs = choose_subjects(other, common, check_kind(self.kind))
            refused += [_lacks(other, each) for each in subjects if each.match not in common]
            refused += theirs.refused
            subjects = join_subjects(subjects, theirs.subjects)
        self._note(subjects, refused)
        check_number(subjects, self.kind)
        return subjects

    def find(self, subjects: "list[Subject]", size: "Size") -> "list[Plot]":
        """Compute what is drawn.

        Raises:
            ParamctlError: there is nothing, or values cannot be read.
        """
        from paramctl.views.plots import find_plots  # noqa: PLC0415 (loads numpy)

        with show_progress(self.environment) as progress:
            plots, refused = find_plots(subjects, self.kind, size, progress)
        self._note(plots, refused)
        return plots

    def _note(self, plotted: "Sequence[Subject | Plot]", refused: "list[Refused]") -> None:
        """Say what is not plotted, and why.

        Raises:
            ParamctlError: all of it is not.
        """
        from paramctl.views.subjects import refuse  # noqa: PLC0415 (loads numpy)

        if not plotted:
            raise refuse(refused)
        if refused:
            whats = [escape(each.what) for each in refused]
            listed = list_few(whats, MAX_NOTED, separator="; ", last="; and ")
            self.environment.note(f"left out: {listed}")

    def size(self, bins: int | None, count: int, *, is_picture: bool) -> "Size":
        """Return what of each plot is seen: of a picture, or on a terminal."""
        from paramctl.views.figures import SIZE  # noqa: PLC0415 (loads numpy)
        from paramctl.views.plot_text import choose_size, plot_width  # noqa: PLC0415 (loads rich)

        width = self.environment.width
        if is_picture or not width:
            size = SIZE
        else:
            in_halves = self.environment.use_color and bool(self.environment.strokes.half)
            size = choose_size(plot_width(count, width), in_halves=in_halves)
        return size._replace(bins=bins) if bins else size

    def show(self, plots: "list[Plot]") -> None:
        """Write characters to a terminal, or numbers into a pipe."""
        width = self.environment.width
        if width is None:
            from paramctl.views.plots import tsv_lines  # noqa: PLC0415 (loads numpy)

            for plot in plots:
                self.environment.write_lines(tsv_lines(plot))
            return
        from paramctl.views.plot_text import lay_out  # noqa: PLC0415 (loads rich)

        console = self.environment.console()
        strokes, use_color = self.environment.strokes, self.environment.use_color
        for line in lay_out(plots, self.names, width, strokes, use_color=use_color):
            console.print(line, no_wrap=True, crop=False, overflow="ignore")

    def draw(self, plots: "list[Plot]", path: str, *, force: bool) -> None:
        """Write a picture.

        Raises:
            ParamctlError: the file cannot be written.
        """
        from paramctl.views.figures import draw  # noqa: PLC0415 (loads matplotlib)

        picture = draw(plots, self.names, _format(path))
        for note in save_bytes(picture, path, force=force):
            self.environment.note(escape(note))
        self.environment.note(escape(f"wrote {path}, {format_bytes(len(picture))}"))


def _find_matches(model: Checkpoint, addresses: list[str], classes: tuple[str, ...]) -> list[Match]:
    resolver = Resolver(model.entries)
    matches = [match for address in addresses for match in resolver.matches(address)]
    if not addresses:
        matches = [Match(name, ()) for name in model.entries]
    return keep_matches(model, matches, classes)


def _lacks(other: Checkpoint, subject: "Subject") -> UsageError:
    return UsageError(f"'{subject.match.name}' is not in {other.file}")
