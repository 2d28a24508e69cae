"""Runs of entries that lie near each other in a file, which one read serves."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from paramctl.arrays import conversion_of, read, stored_type
from paramctl.checkpoint import Entry
from paramctl.quantized import dequantized
from paramctl.slices import is_row_major
from paramctl.sources import Source
from paramctl.widening import Array

SMALL_GAP = 1 << 12  # bytes between entries: fewer are rather read than skipped
MAX_RUN = 1 << 22  # bytes of several entries, and of the gaps between them


class Place(NamedTuple):
    """Where an entry's bytes begin and end in a source."""

    source: Source
    begin: int
    end: int


def read_all(entries: Iterable[Entry]) -> Iterator[Array]:
    """Yield the values of each entry as `arrays.read` returns them, in one dimension.

    Raises:
        ParamctlError: as `arrays.read`.
    """
    run: list[tuple[Entry, Place]] = []
    for entry in map(dequantized, entries):
        place = find_place(entry)
        if run and not (place and _joins(place, run[0][1], run[-1][1])):
            yield from _read_run(run)
            run = []
        if place:
            run.append((entry, place))
        else:
            yield read(entry).reshape(-1)
    yield from _read_run(run)


def find_place(entry: Entry) -> Place | None:
    """Return where an entry lies in one piece; None where that does not serve to read it."""
    storage, bits = entry.storage, entry.dtype.bits
    if storage is None or entry.layout != "strided" or bits % 8 or not is_row_major(entry):
        return None
    begin = entry.offset * bits // 8
    end = begin + entry.nbytes
    if not 0 <= begin < end <= storage.nbytes:
        return None
    source, place = storage.source.locate(storage.offset + begin)
    return Place(source, place, place + end - begin)


def _joins(place: Place, first: Place, last: Place) -> bool:
    """Whether a place is to be read together with those from the first to the last."""
    return (
        place.source is last.source
        and 0 <= place.begin - last.end < SMALL_GAP
        and place.end - first.begin <= MAX_RUN
    )


def _read_run(run: list[tuple[Entry, Place]]) -> Iterator[Array]:
    if not run:
        return
    source, begin, _ = run[0][1]
    data = source.read(begin, run[-1][1].end - begin)
    for entry, place in run:
        _, convert = conversion_of(entry)
        yield convert(np.frombuffer(data, stored_type(entry), entry.numel, place.begin - begin))
