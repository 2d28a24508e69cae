"""Plots: what is computed of parameters, by kind, with the facts that stand beside it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from paramctl.checkpoint import Entry
from paramctl.errors import LimitError, UsageError
from paramctl.passes import Progress
from paramctl.stats.heatmaps import HeatMap, find_heat_map
from paramctl.stats.histograms import Histogram, find_histograms
from paramctl.stats.moments import Moments
from paramctl.stats.spectra import check_matrix, find_spectrum, stable_rank
from paramctl.views.escaping import escape
from paramctl.views.subjects import Refused, Subject
from paramctl.widening import Array


class Kind(StrEnum):
    """What is plotted of parameters."""

    HIST = "hist"
    HEAT = "heat"
    SPECTRUM = "spectrum"


class Spectrum(NamedTuple):
    """The singular values of the entries of a group, the largest first."""

    values: tuple[Array, ...]


Drawn = Histogram | HeatMap | Spectrum


class Size(NamedTuple):
    """The most that is to be seen of a parameter: bins, or rows and columns of cells."""

    bins: int
    rows: int
    columns: int


class Plot(NamedTuple):
    """What is drawn of a parameter; `facts` are a line for each model that is drawn."""

    name: str
    type: str
    facts: tuple[str, ...]
    drawn: Drawn


MOST = {Kind.HIST: 64, Kind.HEAT: 16, Kind.SPECTRUM: 64}
"""The parameters that are plotted at once."""


def check_kind(kind: Kind) -> Callable[[Entry], None]:
    """Return what makes sure that an entry can be plotted so."""
    return check_matrix if kind is Kind.SPECTRUM else lambda _: None


def check_number(subjects: Sequence[Subject], kind: Kind) -> None:
    """Make sure that not too many parameters are plotted at once.

    Raises:
        LimitError: they are; says how to choose.
    """
    if len(subjects) > MOST[kind]:
        layer = subjects[0].name.rpartition(".")[0] or subjects[0].name
        raise LimitError(
            f"{len(subjects)} parameters are too many for one plot of this kind, "
            f"which holds {MOST[kind]}",
            hint=f"name some: '{layer}', '**.weight', or --type CLASS",
        )


def find_plots(
    subjects: Sequence[Subject], kind: Kind, size: Size, progress: Progress
) -> tuple[list[Plot], list[Refused]]:
    """Return a plot of each, and why there is none of others.

    Raises:
        ParamctlError: the values cannot be read.
    """
    if kind is Kind.HIST:
        found = find_histograms([subject.group for subject in subjects], size.bins, progress)
        return [_of_histogram(*each) for each in zip(subjects, found, strict=True)], []
    plots: list[Plot] = []
    refused: list[Refused] = []
    for subject in subjects:
        try:
            is_heat = kind is Kind.HEAT
            plots.append(
                _of_heat_map(subject, size, progress) if is_heat else _of_spectrum(subject)
            )
        except (UsageError, LimitError) as error:
            refused.append(error)
    return plots, refused


def _of_histogram(subject: Subject, histogram: Histogram) -> Plot:
    return _plot(subject, map(_moments, histogram.moments), histogram)


def _plot(subject: Subject, facts: Iterable[str], drawn: Drawn) -> Plot:
    types = dict.fromkeys(_type(entry, drawn) for entry in subject.group)
    return Plot(escape(subject.name), " / ".join(types), tuple(facts), drawn)


def _of_heat_map(subject: Subject, size: Size, progress: Progress) -> Plot:
    shapes = [list(entry.shape) for entry in subject.group]
    if shapes[0] != shapes[-1]:
        raise UsageError(
            f"'{subject.name}' is {shapes[0]} and {shapes[1]}: one cannot be taken from the other",
            hint="--kind hist draws both",
        )
    found = find_heat_map(subject.group, size.rows, size.columns, progress)
    facts = _strange(found.nans, found.infinities)
    if (cell := [_cell_size(found.rows), _cell_size(found.columns)]) != [1, 1]:
        facts.append(f"a cell is the mean of {cell[0]} x {cell[1]} values")
    return _plot(subject, [", ".join(facts)] if facts else [], found)


def _cell_size(edges: Array) -> int:
    """Return the rows or columns of the largest cell."""
    return int(np.diff(edges).max(initial=1))


def _of_spectrum(subject: Subject) -> Plot:
    values = tuple(map(find_spectrum, subject.group))
    facts = (
        f"{number(each[0])} to {number(each[-1])}, stable rank {number(stable_rank(each))}"
        for each in values
    )
    return _plot(subject, facts, Spectrum(values))


def _type(entry: Entry, drawn: Drawn) -> str:
    is_absolute = entry.dtype.name.startswith("complex") and not isinstance(drawn, Spectrum)
    return f"{list(entry.shape)} {entry.dtype.name}{', absolute' if is_absolute else ''}"


def _moments(moments: Moments) -> str:
    strange = _strange(moments.nans, moments.infinities)
    if moments.std is None:
        return ", ".join([*strange, "no finite values" if strange else "no values"])
    return ", ".join([f"mean {number(moments.mean)}, std {number(moments.std)}", *strange])


def _strange(nans: int, infinities: int) -> list[str]:
    """Tell of values that are no numbers."""
    return [f"{count:,} {what}" for count, what in ((nans, "NaN"), (infinities, "Inf")) if count]


def number(value: float) -> str:
    """Write a number with three digits."""
    return f"{value + 0.0:.3g}"


def tsv_lines(plot: Plot) -> Iterator[str]:
    """Yield a line for each bin, cell or singular value, with the numbers of each model.

    That is name, low edge, high edge, counts; name, rows, columns, mean; name, place, values.
    """
    rows: Iterable[Sequence[str]]
    match plot.drawn:
        case Histogram(edges, counts):
            columns = [edges[:-1], edges[1:], *counts]
            rows = zip(
                *([repr(each) for each in column.tolist()] for column in columns), strict=True
            )
        case HeatMap(means, tops, lefts):
            rows = (
                (f"{tops[i]}:{tops[i + 1]}", f"{lefts[j]}:{lefts[j + 1]}", repr(float(mean)))
                for (i, j), mean in np.ndenumerate(means)
            )
        case Spectrum(values):
            ranks = zip_longest(
                *([repr(each) for each in some.tolist()] for some in values), fillvalue="-"
            )
            rows = ((str(place), *each) for place, each in enumerate(ranks, 1))
    yield from ("\t".join([plot.name, *row]) for row in rows)
