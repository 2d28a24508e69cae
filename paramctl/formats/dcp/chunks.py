"""A tensor in chunks, as one source of its row-major bytes: a chunk is read when it is needed."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from math import prod

from paramctl.checkpoint import Entry
from paramctl.derived import Derived, read_units
from paramctl.dtypes import DType
from paramctl.errors import LimitError, MalformedError, blaming
from paramctl.formats.dcp.records import Chunk, Tensor
from paramctl.formats.dcp.saved import read_saved
from paramctl.formats.torch.tensors import MAX_NUMEL
from paramctl.slices import Box, boxes, is_row_major, select, shape_of, within
from paramctl.sources import Source

MAX_PAIRS = 1 << 20  # of chunks that are compared: 65,536 ranks of 16 by 4,096 need half of it


class LazyChunk:
    """A chunk of a tensor: its place in it, and the archive that holds it, not opened yet."""

    def __init__(self, name: str, dtype: DType, chunk: Chunk, file: Source) -> None:
        self.offsets = chunk.offsets
        self.sizes = chunk.sizes
        self.file = file
        self._name = name
        self._dtype = dtype
        self._place = chunk.place

    @cached_property
    def entry(self) -> Entry:
        """The tensor that the archive holds.

        Raises:
            MalformedError: it is none, or has another type or shape than is said of it.
        """
        with blaming(self.file.name):
            found = read_saved(self._name, self._place, self.file).value
            expected = (self._dtype, self.sizes, "strided")
            if not isinstance(found, Entry) or (found.dtype, found.shape, found.layout) != expected:
                told = found.summary if isinstance(found, Entry) else "no tensor"
                raise MalformedError(
                    f"a chunk of '{self._name}' is {told}, "
                    f"not {self._dtype.name} {list(self.sizes)}"
                )
            return found._replace(name=self._name)

    def overlap(self, box: Box) -> Box | None:
        """Return the part of a box of the tensor that is in this chunk."""
        shared = [
            slice(max(start, asked.start), min(start + size, asked.stop))
            for start, size, asked in zip(self.offsets, self.sizes, box, strict=True)
        ]
        return tuple(shared) if all(part.start < part.stop for part in shared) else None


class Assembled(Derived):
    """The row-major, little-endian bytes of a tensor."""

    def __init__(self, name: str, tensor: Tensor, chunks: Sequence[LazyChunk]) -> None:
        file = chunks[0].file.name if chunks else name
        size = tensor.dtype.nbytes(prod(tensor.shape))
        super().__init__(file, size, (chunk.file for chunk in chunks))
        self._tensor = tensor
        self._chunks = chunks

    def locate(self, offset: int) -> tuple[Source, int]:
        """Return where the bytes lie, if the tensor is in one piece."""
        if len(self._chunks) != 1:
            return self, offset
        entry = self._chunks[0].entry
        storage = entry.storage
        if storage is None or storage.big_endian or not is_row_major(entry):
            return self, offset
        return storage.source.locate(storage.offset + entry.dtype.byte_of(entry.offset) + offset)

    def _read(self, offset: int, length: int) -> bytes:
        return read_units(offset, length, self._tensor.dtype.nbytes(1), self._elements)

    def _elements(self, first: int, count: int) -> bytes:
        return b"".join(map(self._read_box, boxes(self._tensor.shape, first, count)))

    def _read_box(self, box: Box) -> bytes:
        import numpy as np  # noqa: PLC0415 (for values only)

        from paramctl.arrays import raw  # noqa: PLC0415 (loads numpy)

        element = np.dtype(f"V{self._tensor.dtype.nbytes(1)}")
        values, corner = np.empty(shape_of(box), element), [side.start for side in box]
        for chunk in self._chunks:
            if (shared := chunk.overlap(box)) is not None:
                held = select(chunk.entry, within(shared, chunk.offsets))
                data = np.frombuffer(b"".join(raw(held)), element)
                values[within(shared, corner)] = data.reshape(held.shape)
        return values.tobytes()


def check_cover(name: str, tensor: Tensor) -> None:
    """Make sure that the chunks fill the tensor, and that no two of them overlap.

    Raises:
        MalformedError: they do not, or reach out of it.
        LimitError: they are too many to tell.
    """
    shape = tensor.shape
    numel = prod(shape)
    if numel > MAX_NUMEL:
        raise MalformedError(f"'{name}' of shape {list(shape)} has more than 2^63 - 1 elements")
    for chunk in tensor.chunks:
        if not len(chunk.offsets) == len(chunk.sizes) == len(shape) or any(
            start + size > most
            for start, size, most in zip(chunk.offsets, chunk.sizes, shape, strict=True)
        ):
            raise MalformedError(
                f"a chunk {list(chunk.sizes)} at {list(chunk.offsets)} is not inside '{name}' "
                f"of shape {list(shape)}"
            )
    stored = sum(prod(chunk.sizes) for chunk in tensor.chunks)
    if stored != numel or any(_overlap(a, b) for a, b in _neighbours(name, tensor.chunks)):
        raise MalformedError(
            f"the chunks of '{name}' of shape {list(shape)} overlap or leave holes"
        )


def _overlap(a: Chunk, b: Chunk) -> bool:
    return all(
        max(start, other) < min(start + size, other + extent)
        for start, size, other, extent in zip(a.offsets, a.sizes, b.offsets, b.sizes, strict=True)
    )


def _neighbours(name: str, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, Chunk]]:
    """Yield the pairs of chunks that share places along the dimension that is cut most often."""
    starts = [len(set(column)) for column in zip(*(chunk.offsets for chunk in chunks), strict=True)]
    if len(chunks) < 2 or not starts:
        return
    dimension = starts.index(max(starts))
    begun: list[Chunk] = []
    left = MAX_PAIRS
    for chunk in sorted(chunks, key=lambda chunk: chunk.offsets[dimension]):
        start = chunk.offsets[dimension]
        begun = [
            other for other in begun if start < other.offsets[dimension] + other.sizes[dimension]
        ]
        left -= len(begun)
        if left < 0:
            raise LimitError(f"'{name}' is cut into too many chunks: {len(chunks)}")
        yield from ((other, chunk) for other in begun)
        begun.append(chunk)
