"""The bytes of parameters in another type, rounded where they are read."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

import numpy as np

from paramctl.arrays import elements, stored_type
from paramctl.checkpoint import Entry, Storage
from paramctl.conversion import Conversion
from paramctl.dtypes import DType
from paramctl.edits.computed import Computed
from paramctl.quantized import dequantized
from paramctl.runs import Place, find_place
from paramctl.slices import Box, flatten, select

Row = list[tuple[Entry, Place | None]]
"""An entry, or several of one type that lie behind one another, and where."""


class Converted(Computed):
    """The elements of tensors in another type, one tensor behind the other.

    `old` are all of them as one; `starts` are the places of the first element of each.
    """

    def __init__(self, old: Entry, dtype: DType, starts: Sequence[int]) -> None:
        self._old = flatten(dequantized(old))
        super().__init__(self._old._replace(dtype=dtype), (old,))
        self._conversion = Conversion(self._old.dtype, dtype)
        self._starts = np.array(starts)
        self._overflows: dict[tuple[int, ...], Counter[int]] = {}  # a block -> start -> how many

    def compute(self, box: Box) -> bytes:
        """Return the elements of a box of the tensor."""
        converted, place = [], box[0].start
        for block in elements(select(self._old, box)):
            converted.append(self._conversion.convert(block))
            overflows = place + self._conversion.find_overflows(block, converted[-1])
            if overflows.size:
                owners = self._starts.searchsorted(overflows, "right") - 1
                corner = tuple(side.start for side in box)
                self._overflows[place, *corner] = Counter(self._starts[owners].tolist())
            place += block.size
        return b"".join(part.data for part in converted)

    def count_overflows(self) -> dict[int, int]:
        """Return how many values read so far are too large for the type.

        They are those of each tensor that has some, by the byte where it begins.
        """
        total: Counter[int] = Counter()
        for found in self._overflows.values():
            total.update(found)
        return {self.entry.dtype.nbytes(start): count for start, count in total.items()}


def convert(entries: Iterable[Entry], dtype: DType) -> Iterator[Entry]:
    """Yield entries in another type; those that lie behind one another are read together."""
    row: Row = []
    for entry in map(dequantized, entries):
        place = find_place(entry)
        if row and not (place and _follows(entry, place, *row[-1])):
            yield from _convert_row(row, dtype)
            row = []
        row.append((entry, place))
    if row:
        yield from _convert_row(row, dtype)


def _follows(entry: Entry, place: Place, last: Entry, before: Place | None) -> bool:
    return (
        before is not None
        and place.source is before.source
        and place.begin == before.end
        and entry.dtype == last.dtype
        and stored_type(entry) == stored_type(last)
    )


def _convert_row(row: Row, dtype: DType) -> Iterator[Entry]:
    starts = [*accumulate((entry.numel for entry, _ in row), initial=0)]
    source = Converted(_join(row, starts[-1]), dtype, starts[:-1])
    for (entry, _), start in zip(row, starts, strict=False):
        storage = Storage(source, dtype.nbytes(start), dtype.nbytes(entry.numel))
        yield entry._replace(dtype=dtype, storage=storage, offset=0, strides=None, layout="strided")


def _join(row: Row, numel: int) -> Entry:
    """Return all of a row as one entry."""
    (first, place), (_, last) = row[0], row[-1]
    if not (place and last and first.storage):
        return first
    storage = first.storage._replace(
        source=place.source, offset=place.begin, nbytes=last.end - place.begin
    )
    return first._replace(shape=(numel,), storage=storage, offset=0, strides=None)
