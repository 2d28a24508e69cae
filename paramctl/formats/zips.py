"""Zip archives, strictly: whatever two readers could see differently is an error.

The end record must end the file, the directory must stand right before it, the first member at
offset 0, and members may not overlap. Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.
"""

import struct
import zlib
from typing import NamedTuple

from paramctl.errors import LimitError, MalformedError
from paramctl.sources import Source, Stretch

STORED, DEFLATED = 0, 8
ENCRYPTED, DESCRIPTOR, PATCHED, STRONG, UTF8, MASKED = 1, 8, 32, 64, 1 << 11, 1 << 13
MAX_MEMBERS = 1_000_000  # a checkpoint of 100,000 tensors has 100,006
MAX_DIRECTORY = 256 << 20
CHUNK = 1 << 16

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_FIELD = struct.Struct("<2H")
_ZIP64 = 1  # the extra field of sizes and offsets that need 64 bits


class Member(NamedTuple):
    """A file in the archive: `packed` bytes stored at `header`, `size` unpacked."""

    name: str
    method: int
    crc: int
    packed: int
    size: int
    header: int
    flags: int


class _End(NamedTuple):
    """What the end record says: how many members, and where their directory lies."""

    members: int
    nbytes: int
    offset: int


def read_directory(source: Source) -> dict[str, Member]:
    """Read the archive's directory; no member is touched.

    Raises:
        MalformedError: the archive breaks a rule, or readers could differ on what it holds.
        LimitError: it has too many members, or too long a directory.
    """
    end = _read_end(source)
    if end.members > MAX_MEMBERS or end.nbytes > MAX_DIRECTORY:
        raise LimitError(f"a zip archive of {end.members} members, over the limit of {MAX_MEMBERS}")
    directory = source.read(end.offset, end.nbytes)
    members: dict[str, Member] = {}
    position = 0
    while position < len(directory):
        member, position = _read_entry(directory, position)
        if member.name in members:
            raise MalformedError(f"zip member '{member.name}' is there twice")
        members[member.name] = member
    if len(members) != end.members:
        raise MalformedError(
            f"the zip directory holds {len(members)} members, its end says {end.members}"
        )
    _check_places(members, end.offset)
    return members


def _read_end(source: Source) -> _End:
    if source.size < _END.size:
        raise MalformedError("truncated zip archive: it has no end record")
    position = source.size - _END.size
    record = _END.unpack(source.read(position, _END.size))
    magic, disk, first_disk, here, members, nbytes, offset, comment = record
    if magic != b"PK\5\6":
        raise MalformedError("truncated zip archive, or bytes after it: no end record at its end")
    if comment or disk not in (0, 0xFFFF) or first_disk not in (0, 0xFFFF) or here != members:
        raise MalformedError("a zip archive with a comment or in several parts")
    end = _End(members, nbytes, offset)
    if position >= _LOCATOR.size:
        locator = _LOCATOR.unpack(source.read(position - _LOCATOR.size, _LOCATOR.size))
        if locator[0] == b"PK\6\7":
            end, position = _read_end64(source, locator[2], position - _LOCATOR.size, end)
    if end.offset + end.nbytes != position:
        raise MalformedError(
            f"the zip directory lies at {end.offset} to {end.offset + end.nbytes}, "
            f"not right before the end record at {position}"
        )
    return end


def _read_end64(source: Source, offset: int, before: int, short: _End) -> tuple[_End, int]:
    """Read the 64-bit end record; return it and where it begins."""
    if offset + _END64.size != before:
        raise MalformedError("the zip archive's 64-bit end record is not right before its locator")
    record = _END64.unpack(source.read(offset, _END64.size))
    magic, size, _, _, disk, first_disk, here, members, nbytes, start = record
    if magic != b"PK\6\6" or size != _END64.size - 12 or disk or first_disk or here != members:
        raise MalformedError("the zip archive's 64-bit end record is broken")
    end = _End(members, nbytes, start)
    for small, large, limit in zip(short, end, (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF), strict=True):
        if small not in (large, limit):
            raise MalformedError("the zip archive's two end records contradict each other")
    return end, offset


def _read_entry(directory: bytes, position: int) -> tuple[Member, int]:
    try:
        fields = _CENTRAL.unpack_from(directory, position)
    except struct.error as error:
        raise MalformedError("the zip directory ends inside an entry") from error
    (
        magic,
        _,
        _,
        flags,
        method,
        _,
        _,
        crc,
        packed,
        size,
        name,
        extra,
        comment,
        disk,
        _,
        _,
        header,
    ) = fields
    start = position + _CENTRAL.size
    end = start + name + extra + comment
    if magic != b"PK\1\2" or end > len(directory):
        raise MalformedError("the zip directory is broken", where=f"directory offset {position}")
    text = _decode_name(directory[start : start + name], flags)
    if packed == 0xFFFFFFFF or size == 0xFFFFFFFF or header == 0xFFFFFFFF:
        fields64 = _zip64(directory[start + name : start + name + extra])
        size, packed, header = _widen(text, fields64, size, packed, header)
    member = Member(text, method, crc, packed, size, header, flags)
    if disk or method != STORED or flags & ~(DESCRIPTOR | UTF8) or packed != size:
        _check_entry(member, disk)
    return member, end


def _check_entry(member: Member, disk: int) -> None:
    """Refuse what is not plainly stored or deflated here."""
    name, flags = member.name, member.flags
    if flags & (ENCRYPTED | STRONG | MASKED):
        raise MalformedError(f"zip member '{name}' is encrypted")
    if flags & PATCHED:
        raise MalformedError(f"zip member '{name}' is a patch")
    if disk:
        raise MalformedError(f"zip member '{name}' is in another part of the archive")
    if member.method not in (STORED, DEFLATED):
        raise MalformedError(f"zip member '{name}' is compressed by method {member.method}")
    if member.method == STORED and member.packed != member.size:
        raise MalformedError(
            f"zip member '{name}' is stored in {member.packed} bytes and said to have {member.size}"
        )


def _decode_name(name: bytes, flags: int) -> str:
    if b"\0" in name:
        raise MalformedError(f"zip member '{name.decode('latin-1')}' has a NUL in its name")
    if name.isascii():
        return name.decode("ascii")
    try:
        return name.decode("utf-8" if flags & UTF8 else "cp437")
    except UnicodeDecodeError as error:
        raise MalformedError("a zip member's name is not UTF-8") from error


def _zip64(extra: bytes) -> bytes:
    """Return the body of the 64-bit extra field, empty where there is none."""
    position = 0
    while position + _FIELD.size <= len(extra):
        kind, length = _FIELD.unpack_from(extra, position)
        position += _FIELD.size
        if kind == _ZIP64:
            return extra[position : position + length]
        position += length
    return b""


def _widen(name: str, body: bytes, *sizes: int) -> list[int]:
    """Replace each size that is all ones by the next number of the 64-bit field."""
    wide = []
    for size in sizes:
        if size == 0xFFFFFFFF:
            if len(body) < 8:
                raise MalformedError(f"zip member '{name}' lacks its 64-bit sizes")
            size, body = int.from_bytes(body[:8], "little"), body[8:]  # noqa: PLW2901 (the wide one)
        wide.append(size)
    return wide


def _check_places(members: dict[str, Member], directory: int) -> None:
    """Check that the members lie one behind the other from offset 0 up to the directory."""
    end, before = 0, "the archive's beginning"
    for member in sorted(members.values(), key=lambda member: member.header):
        if member.header < end or (not end and member.header):
            raise MalformedError(
                f"zip member '{member.name}' at {member.header} does not begin behind {before}"
            )
        end = member.header + _LOCAL.size + len(member.name) + member.packed
        before = f"member '{member.name}'"
    if end > directory:
        raise MalformedError(f"zip {before} reaches into the directory at {directory}")


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
    if zlib.crc32(data) != member.crc:
        raise MalformedError(f"zip member '{member.name}' has a wrong checksum")
    return data


def _data_offset(source: Source, member: Member) -> int:
    """Return where a member's bytes begin, behind its local header.

    Raises:
        MalformedError: the local header is not that of the directory's entry.
    """
    fields = _LOCAL.unpack(source.read(member.header, _LOCAL.size))
    magic, _, flags, method, _, _, crc, packed, size, name, extra = fields
    raw = source.read(member.header + _LOCAL.size, name)
    if magic != b"PK\3\4" or _decode_name(raw, flags) != member.name:
        raise MalformedError(f"zip member '{member.name}' has another name in its own header")
    if method != member.method or (flags ^ member.flags) & ~(DESCRIPTOR | UTF8):
        raise MalformedError(f"zip member '{member.name}' is packed otherwise in its own header")
    known = not flags & DESCRIPTOR and 0xFFFFFFFF not in (packed, size)
    if known and (crc, packed, size) != (member.crc, member.packed, member.size):
        raise MalformedError(f"zip member '{member.name}' has other sizes in its own header")
    return int(member.header + _LOCAL.size + name + extra)


class _Stored(Source):
    """A member that is stored as it is."""

    def __init__(self, source: Source, member: Member) -> None:
        self.name = source.name
        self.size = member.size
        self._archive = source
        self._member = member
        self._stretch: Stretch | None = None

    def _read(self, offset: int, length: int) -> bytes:
        if self._stretch is None:
            start = _data_offset(self._archive, self._member)
            self._stretch = Stretch(self._archive, start, self._member.packed)
        return self._stretch.read(offset, length)


class _Deflated(Source):
    """A deflated member: inflated from its beginning up to what is asked for, and on from there."""

    def __init__(self, source: Source, member: Member) -> None:
        self.name = source.name
        self.size = member.size
        self._archive = source
        self._member = member
        self._start = -1
        self._rewind()

    def _rewind(self) -> None:
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._taken = 0
        self._position = 0

    def _read(self, offset: int, length: int) -> bytes:
        if self._start < 0:
            self._start = _data_offset(self._archive, self._member)
        if offset < self._position:
            self._rewind()
        while self._position < offset:
            self._inflate(min(CHUNK, offset - self._position))
        data = bytearray()
        while len(data) < length:
            data += self._inflate(min(CHUNK, length - len(data)))
        if self._position == self.size:
            self._check_end()
        return bytes(data)

    def _inflate(self, most: int) -> bytes:
        """Return the next bytes, at least one and at most `most`."""
        while True:
            packed = self._inflater.unconsumed_tail or self._next_packed()
            try:
                data = self._inflater.decompress(packed, most)
            except zlib.error as error:
                raise MalformedError(f"zip member '{self._member.name}': {error}") from error
            if data:
                self._position += len(data)
                return data
            if not packed or self._inflater.eof:
                raise MalformedError(
                    f"zip member '{self._member.name}' inflates to {self._position} bytes, "
                    f"not to {self.size}"
                )

    def _next_packed(self) -> bytes:
        length = min(CHUNK, self._member.packed - self._taken)
        packed = self._archive.read(self._start + self._taken, length)
        self._taken += length
        return packed

    def _check_end(self) -> None:
        """Refuse a member that inflates to more than its size."""
        packed = self._inflater.unconsumed_tail or self._next_packed()
        if self._inflater.decompress(packed, 1):
            raise MalformedError(
                f"zip member '{self._member.name}' inflates to more than {self.size} bytes"
            )
