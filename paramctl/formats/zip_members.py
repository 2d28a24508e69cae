"""The members of a zip archive, each a source of its unpacked bytes.

Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.6 to 4.3.9; RFC 1951.
"""

import zlib
from functools import cached_property
from io import BytesIO
from threading import Lock

from paramctl.errors import LimitError, MalformedError
from paramctl.formats.zips import (
    DESCRIPTOR,
    LOCAL,
    STORED,
    WIDE,
    Member,
    decode_name,
    find_zip64,
    widen,
)
from paramctl.sources import Source

CHUNK = 1 << 16
FAR = 1 << 64  # behind any offset: where an inflater stands that is yet to be made

_DESCRIPTOR_SIZES = (12, 16, 20, 24)  # with a signature or not, of 32 bits or 64


def open_member(source: Source, member: Member) -> Source:
    """Return a member's bytes, unpacked; its local header is checked when they are first read."""
    return (_Stored if member.method == STORED else _Deflated)(source, member)


def read_member(source: Source, member: Member, limit: int) -> bytes:
    """Return the whole of a member.

    Raises:
        MalformedError: its checksum or its size is wrong.
        LimitError: it has more than `limit` bytes unpacked.
    """
    if member.size > limit:
        raise LimitError(f"zip member '{member.name}' of {member.size} bytes, over {limit}")
    data = open_member(source, member).read(0, member.size)
    if member.crc not in (None, zlib.crc32(data)):
        raise MalformedError(f"zip member '{member.name}' has a wrong checksum")
    return data


def _find_data(source: Source, member: Member) -> int:
    """Return where a member's bytes begin, behind its local header.

    Raises:
        MalformedError: the local header is not that of the directory's entry.
    """
    head = source.read(member.header, LOCAL.size)
    magic, flags, method, crc, packed, size, name, extra = LOCAL.unpack(head)
    start = member.header + LOCAL.size
    fields = source.read(start, name + extra)
    data = start + len(fields)
    body = find_zip64(member.name, fields[name:])
    if not flags & DESCRIPTOR:
        size, packed = widen(member.name, body, size, packed)
    for what, here, listed, absent in (
        ("signature", magic, b"PK\3\4", ()),
        ("flags", flags, member.flags, ()),
        ("method", method, member.method, ()),
        ("name", decode_name(fields[:name], flags), member.name, ()),
        ("checksum", crc, member.crc or 0, (0,)),
        ("packed size", packed, member.packed, (0, WIDE)),
        ("size", size, member.size, (0, WIDE)),
    ):
        if here != listed and not (flags & DESCRIPTOR and here in absent):
            raise MalformedError(
                f"zip member '{member.name}' has the {what} {here!r} in its own header, "
                f"{listed!r} in the directory"
            )
    behind = member.end - data - member.packed
    if behind not in (_DESCRIPTOR_SIZES if flags & DESCRIPTOR else (0,)):
        raise MalformedError(f"zip member '{member.name}' has {behind} bytes behind its data")
    return data


class _Stored(Source):
    """A member that is stored as it is."""

    def __init__(self, archive: Source, member: Member) -> None:
        self.name = archive.name
        self.size = member.size
        self.checksum = member.crc
        self._archive = archive
        self._member = member

    @cached_property
    def _start(self) -> int:
        return _find_data(self._archive, self._member)

    def _read(self, offset: int, length: int) -> bytes:
        return self._archive.read(self._start + offset, length)

    def locate(self, offset: int) -> tuple[Source, int]:
        return self._archive.locate(self._start + offset)

    def release(self) -> None:
        self._archive.release()

    def check_unchanged(self) -> None:
        self._archive.check_unchanged()


class _Deflated(_Stored):
    """A deflated member: inflated from its beginning up to what is asked for, and on from there."""

    sequential = True

    def __init__(self, archive: Source, member: Member) -> None:
        super().__init__(archive, member)
        self._lock = Lock()
        self._position = FAR

    def locate(self, offset: int) -> tuple[Source, int]:
        return self, offset

    def release(self) -> None:
        with self._lock:
            self._forget()
        super().release()

    def _forget(self) -> None:
        if self._position != FAR:
            del self._inflater
            self._position = FAR

    def _rewind(self) -> None:
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._left = self._member.packed
        self._position = 0

    def _read(self, offset: int, length: int) -> bytes:
        with self._lock:
            data = self._inflate_range(offset, length)
            if self._position == self.size:
                self._forget()  # its window takes far more than a scalar, and a model may have many
            return data

    def _inflate_range(self, offset: int, length: int) -> bytes:
        if offset < self._position:
            self._rewind()
        while self._position < offset:
            self._inflate(offset)
        data = BytesIO()
        end = offset + length
        while self._position < end or (end == self.size and not self._inflater.eof):
            data.write(self._inflate(end))
        return data.getvalue()

    def _inflate(self, until: int) -> bytes:
        """Return some of the next bytes, none from `until` on; check the end when it is reached."""
        packed = self._inflater.unconsumed_tail or self._next_packed()
        try:
            data = self._inflater.decompress(packed, min(CHUNK, max(1, until - self._position)))
        except zlib.error as error:
            raise self._wrong(str(error)) from error
        self._position += len(data)
        ended = self._inflater.eof
        if self._position > self.size or (ended and self._position < self.size):
            raise self._wrong(f"inflates to {self._position} bytes, not to {self.size}")
        if not (ended or packed or data):
            raise self._wrong("is cut short")
        if ended and (self._left or self._inflater.unused_data):
            raise self._wrong("has bytes behind its deflated ones")
        return data

    def _next_packed(self) -> bytes:
        length = min(CHUNK, self._left)
        packed = self._archive.read(self._start + self._member.packed - self._left, length)
        self._left -= length
        return packed

    def _wrong(self, what: str) -> MalformedError:
        return MalformedError(f"zip member '{self._member.name}' {what}")
