"""The tensors' bytes, cut into blocks, each of which can be read by itself."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from paramctl.checkpoint import Entry
from paramctl.errors import ParamctlError
from paramctl.slices import is_row_major, split
from paramctl.sources import FileSource, Source
from paramctl.writer.checks import storage_of
from paramctl.writer.checksum import Checksum
from paramctl.writer.layout import Made, Part, Stored

ELEMENTS = 1 << 18  # of a piece that is computed: what a core's cache holds
PICKED_BYTES = 1 << 24  # of a piece whose elements are picked from many places
COPIED_BYTES = 1 << 20  # of a piece that a file holds as it is: what a core's cache holds
BLOCK_BYTES = 1 << 22  # of pieces that make a block: a task for each costs more
TASK_BYTES = 1 << 16  # of a block that is worth a task
SMALL_BYTES = 1 << 16  # of a part that is no block of its own
BATCH_BYTES = 1 << 18  # of small pieces that are written together: a write for each costs more


class Span(NamedTuple):
    """Bytes that a source holds as they are to be written."""

    source: Source
    offset: int
    nbytes: int
    bits: int  # of an element

    @property
    def is_copy(self) -> bool:
        """Whether the bytes lie in a file."""
        return isinstance(self.source, FileSource)

    def read(self) -> bytes:
        """Return the bytes."""
        return self.source.read(self.offset, self.nbytes)


class Picked(NamedTuple):
    """Elements that lie in another order in their source, or whose bytes do."""

    source: Source
    entry: Entry

    @property
    def is_copy(self) -> bool:
        """Whether the bytes lie in a file as they are to be written."""
        return False

    @property
    def nbytes(self) -> int:
        """The number of bytes to write."""
        return self.entry.nbytes

    def read(self) -> bytes:
        """Return the elements' bytes, little-endian and row-major."""
        from paramctl import arrays  # noqa: PLC0415 (numpy, and most files are copied)

        return b"".join(arrays.raw(self.entry))


Piece = Span | Picked


class Block(NamedTuple):
    """Pieces that are read by one task; there is one where it waits for its turn.

    The CRC-32 of its bytes is to be added to `checksum` when their turn has come.
    """

    pieces: tuple[Piece, ...]
    checksum: Checksum | None = None

    @property
    def nbytes(self) -> int:
        """The number of bytes to write."""
        return sum(piece.nbytes for piece in self.pieces)

    @property
    def is_task(self) -> bool:
        """Whether a thread may read it before its turn, and should."""
        piece, nbytes = self.pieces[0], self.nbytes
        return nbytes >= TASK_BYTES and _is_free(piece, self.checksum)

    @property
    def copy(self) -> Span | None:
        """The bytes in a file that it is a copy of, which nobody needs to see; else None."""
        piece = self.pieces[0]
        return piece if isinstance(piece, Span) and piece.is_copy and not self.checksum else None

    def read(self) -> Iterator[bytes]:
        """Yield the bytes, those of small pieces together.

        Raises:
            ParamctlError: a source gives more or less than is to be written.
        """
        waiting: list[bytes] = []
        room = BATCH_BYTES
        for data in _read_each(self.pieces):
            waiting.append(data)
            room -= len(data)
            if room <= 0:
                yield b"".join(waiting)
                waiting, room = [], BATCH_BYTES
        if waiting:
            yield b"".join(waiting)


class Batch(NamedTuple):
    """Small parts, which are read together when their turn has come.

    `pieces` hold the values of those that are stored, one behind the other.
    """

    parts: tuple[Part, ...]
    pieces: tuple[Piece, ...]
    nbytes: int

    def read(self) -> bytes:
        """Return the bytes, and add to the checksums of what is stored.

        Raises:
            ParamctlError: a source gives more or less than is to be written.
        """
        values = b"".join(_read_each(self.pieces))
        data: list[bytes] = []
        position = 0
        for part in self.parts:
            if isinstance(part, Made):
                data.append(part.read())
            else:
                data.append(values[position : position + part.nbytes])
                position += part.nbytes
                if part.checksum:
                    part.checksum.update(data[-1])
        return b"".join(data)


def _is_free(piece: Piece, checksum: Checksum | None) -> bool:
    """Whether a piece may be read at any time, and somebody has to look at its bytes."""
    return not piece.source.sequential and (checksum is not None or not piece.is_copy)


def _read_each(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Yield the bytes of pieces."""
    for piece in pieces:
        data = piece.read()
        if len(data) != piece.nbytes:
            raise ParamctlError(f"{piece.source.name} gave {len(data)} bytes, not {piece.nbytes}")
        yield data


def cut(parts: Iterable[Part]) -> Iterator[Block | Batch]:
    """Cut the parts of a file into blocks; small ones, and what is made, are put together."""
    batch: list[Part] = []
    room = BATCH_BYTES
    for part in parts:
        is_small = isinstance(part, Made) or part.nbytes < SMALL_BYTES
        if batch and not (is_small and part.nbytes <= room):
            yield _batch(batch)
            batch, room = [], BATCH_BYTES
        if is_small:
            batch.append(part)
            room -= part.nbytes
        elif isinstance(part, Stored):
            yield from _gather(_cut_pieces(part.entries), part.checksum)
    if batch:
        yield _batch(batch)


def _batch(parts: list[Part]) -> Batch:
    stored = (part.entries for part in parts if isinstance(part, Stored))
    pieces = tuple(_join(chain.from_iterable(stored)))
    return Batch(tuple(parts), pieces, sum(part.nbytes for part in parts))


def _gather(pieces: Iterable[Piece], checksum: Checksum | None) -> Iterator[Block]:
    """Put pieces together that may be read at any time."""
    block: list[Piece] = []
    room = BLOCK_BYTES
    for piece in pieces:
        is_free = _is_free(piece, checksum)
        if block and not (is_free and piece.nbytes <= room):
            yield Block(tuple(block), checksum)
            block, room = [], BLOCK_BYTES
        if is_free:
            block.append(piece)
            room -= piece.nbytes
        else:
            yield Block((piece,), checksum)
    if block:
        yield Block(tuple(block), checksum)


def _cut_pieces(entries: Iterable[Entry]) -> Iterator[Piece]:
    """Cut entries into pieces."""
    return chain.from_iterable(map(_cut, _join(entries)))


def _join(entries: Iterable[Entry]) -> Iterator[Piece]:
    """Yield all of the entries; what lies together in a source is one piece."""
    run: Piece | None = None
    for entry in entries:
        if not entry.nbytes:
            continue
        piece = whole(entry)
        if isinstance(run, Span) and isinstance(piece, Span) and _follows(piece, run):
            run = run._replace(nbytes=run.nbytes + piece.nbytes)
            continue
        if run:
            yield run
        run = piece
    if run:
        yield run


def whole(entry: Entry) -> Piece:
    """Return all of an entry as one piece."""
    storage = storage_of(entry)
    swapped = storage.big_endian and entry.dtype.bits > 8
    if swapped or entry.layout != "strided" or not is_row_major(entry):
        return Picked(storage.source, entry)
    begin = storage.offset + entry.offset * entry.dtype.bits // 8
    return Span(*storage.source.locate(begin), entry.nbytes, entry.dtype.bits)


def _follows(piece: Span, run: Span) -> bool:
    return piece.source is run.source and piece.offset == run.offset + run.nbytes


def _cut(piece: Piece) -> Iterator[Piece]:
    if piece.source.whole:
        yield piece
    elif isinstance(piece, Span) and piece.is_copy:
        yield from _cut_span(piece, COPIED_BYTES)
    elif isinstance(piece, Span):
        computed = max(ELEMENTS, piece.source.block) * piece.bits // 8
        yield from _cut_span(piece, BLOCK_BYTES if piece.source.is_far else computed)
    else:
        for part in split(piece.entry, PICKED_BYTES * 8 // piece.entry.dtype.bits):
            yield Picked(piece.source, part)


def _cut_span(span: Span, nbytes: int) -> Iterator[Span]:
    for begin in range(0, span.nbytes, nbytes):
        length = min(nbytes, span.nbytes - begin)
        yield span._replace(offset=span.offset + begin, nbytes=length)
