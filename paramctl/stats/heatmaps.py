"""Heat maps: a matrix in a few cells, each the mean of the values in it."""

from collections.abc import Iterator
from math import prod
from typing import NamedTuple, Self

import numpy as np

from paramctl.checkpoint import Entry
from paramctl.errors import LimitError
from paramctl.passes import BLOCK, Group, Progress, find_all
from paramctl.slices import is_row_major, select, strides_of
from paramctl.stats.reals import as_real
from paramctl.widening import Array


class HeatMap(NamedTuple):
    """The mean of each cell, NaN where a value in it is not finite.

    `rows` and `columns` are where the cells begin, and where the last one ends. Of the values of a
    matrix `nans` are NaN, and `infinities` are infinite.
    """

    means: Array
    rows: Array
    columns: Array
    nans: int
    infinities: int


class _Band(NamedTuple):
    """Cells beside each other: their row, the first of them, where each begins, the values."""

    row: int
    column: int
    starts: Array
    group: Group


def find_heat_map(group: Group, most_rows: int, most_columns: int, progress: Progress) -> HeatMap:
    """Return the heat map of an entry, or of what the second of two exceeds the first by.

    Both are of one shape. Entries of more than two dimensions are matrices of the first one and all
    others, a vector is a row.

    Raises:
        LimitError: a row of more than two dimensions is too long, and not in order.
    """
    matrices = tuple(as_matrix(entry) for entry in group)
    if _lies_in_columns(matrices[0]):
        turned = _find(tuple(map(_transpose, matrices)), most_columns, most_rows, progress)
        means, columns, rows, nans, infinities = turned
        return HeatMap(means.T, rows, columns, nans, infinities)
    return _find(matrices, most_rows, most_columns, progress)


def as_matrix(entry: Entry) -> Entry:
    """Return an entry as a matrix, or as it is where its dimensions cannot be joined in place."""
    shape = matrix_shape(entry.shape)
    if len(entry.shape) == 2:
        return entry
    if len(entry.shape) < 2:
        return entry._replace(shape=shape, strides=(0, *(strides_of(entry) or (1,))))
    return entry._replace(shape=shape, strides=None) if is_row_major(entry) else entry


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the rows and columns of a tensor as a matrix: its first dimension and all others."""
    return (shape[0], prod(shape[1:])) if len(shape) > 1 else (1, prod(shape))


def _find(group: Group, most_rows: int, most_columns: int, progress: Progress) -> HeatMap:
    height, width = matrix_shape(group[0].shape)
    rows, columns = _edges(height, most_rows), _edges(width, most_columns)
    bands = list(_cut(group, rows, columns))
    found = find_all(
        [band.group for band in bands], lambda place: _Means.of(bands[place]), progress
    )
    means = np.zeros((len(rows) - 1, len(columns) - 1))
    for band, each in zip(bands, found, strict=True):
        means[band.row, band.column : band.column + len(band.starts) - 1] = each.means
    counts = [sum(getattr(each, what) for each in found) for what in ("nans", "infinities")]
    return HeatMap(means, rows, columns, *counts)


def _edges(size: int, most: int) -> Array:
    cells = min(size, most)
    return np.arange(cells + 1) * size // max(cells, 1)


def _cut(group: Group, rows: Array, columns: Array) -> Iterator[_Band]:
    """Cut a matrix into rows of cells, and those that are too long into some cells each."""
    width = int(columns[-1])
    if not width:
        return
    spans = list(_spans(columns))
    if len(spans) > 1 and len(group[0].shape) > 2:
        raise LimitError(f"'{group[0].name}' has rows of {width} values that are not in order")
    for row, (start, stop) in enumerate(zip(rows.tolist(), rows[1:].tolist(), strict=False)):
        for first, last in spans:
            index: tuple[slice, ...] = (slice(start, stop),)
            if len(spans) > 1:
                index += (slice(int(columns[first]), int(columns[last])),)
            starts = columns[first : last + 1] - columns[first]
            yield _Band(row, first, starts, tuple(select(entry, index) for entry in group))


def _spans(columns: Array) -> Iterator[tuple[int, int]]:
    """Yield the first cell and the one behind the last of those that fit a block together."""
    first = 0
    for last in range(1, len(columns)):
        if last + 1 == len(columns) or columns[last + 1] - columns[first] > BLOCK:
            yield first, last
            first = last


def _lies_in_columns(entry: Entry) -> bool:
    strides = strides_of(entry)
    return len(strides) == 2 and abs(strides[0]) < abs(strides[1]) and entry.shape[0] > 1


def _transpose(entry: Entry) -> Entry:
    return entry._replace(shape=entry.shape[::-1], strides=strides_of(entry)[::-1])


class _Means:
    """The means of cells beside each other, put together from blocks of whole rows."""

    def __init__(self, starts: Array, rows: int) -> None:
        self._starts, self._rows = starts, rows
        self.means: Array = np.zeros(len(starts) - 1)
        self.nans = self.infinities = 0

    @classmethod
    def of(cls, band: _Band) -> Self:
        """Begin those of a band."""
        return cls(band.starts, band.group[0].shape[0])

    def add(self, *blocks: Array) -> None:
        """Look at a block: whole rows, or of a single cell any values."""
        values = [as_real(block) for block in blocks]
        nans = np.logical_or.reduce([np.isnan(each) for each in values])
        finite = np.logical_and.reduce([np.isfinite(each) for each in values])
        self.nans += int(nans.sum())
        self.infinities += finite.size - int(finite.sum()) - int(nans.sum())
        with np.errstate(over="ignore", invalid="ignore"):
            shown = values[0] if len(values) == 1 else values[1] - values[0]
            self.means += self._average(np.where(np.isfinite(shown), shown, np.nan))

    def _average(self, values: Array) -> Array:
        """Return what values add to the means; divided before all are added up."""
        sizes = np.diff(self._starts)
        if len(sizes) == 1:
            return np.asarray([(values / (self._rows * sizes[0])).sum()])
        shares = (values.reshape(-1, int(self._starts[-1])) / self._rows).sum(axis=0)
        return np.asarray(np.add.reduceat(shares / np.repeat(sizes, sizes), self._starts[:-1]))

    def merge(self, later: Self) -> None:
        """Take in what was found in the blocks behind."""
        self.means += later.means
        self.nans += later.nans
        self.infinities += later.infinities
