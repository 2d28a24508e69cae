"""Bytes that lie in pieces, as one source."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from paramctl.checkpoint import Storage
from paramctl.derived import Derived
from paramctl.sources import Source


class Joined(Derived):
    """The bytes of `pieces` one behind the other."""

    def __init__(self, name: str, pieces: Sequence[Storage]) -> None:
        self._pieces = [piece for piece in pieces if piece.nbytes]
        self._ends = list(accumulate(piece.nbytes for piece in self._pieces))
        size = self._ends[-1] if self._ends else 0
        super().__init__(name, size, (piece.source for piece in self._pieces))

    def _read(self, offset: int, length: int) -> bytes:
        data = []
        while length:
            place = bisect_right(self._ends, offset)
            source, start, nbytes, *_ = self._pieces[place]
            within = offset - (self._ends[place] - nbytes)
            count = min(length, nbytes - within)
            data.append(source.read(start + within, count))
            offset, length = offset + count, length - count
        return b"".join(data)


class Striped(Derived):
    """The first `size` bytes of pieces of `base`: `length` bytes at `start` and every `step` on."""

    def __init__(self, base: Source, start: int, length: int, step: int, size: int) -> None:
        super().__init__(base.name, size, [base])
        self._base = base
        self._start = start
        self._length = length
        self._step = step

    def _read(self, offset: int, length: int) -> bytes:
        data = []
        while length:
            piece, within = divmod(offset, self._length)
            count = min(length, self._length - within)
            data.append(self._base.read(self._start + piece * self._step + within, count))
            offset, length = offset + count, length - count
        return b"".join(data)
