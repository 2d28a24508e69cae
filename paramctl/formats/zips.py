"""Zip archives, strictly: whatever two readers could see differently is an error.

The end record must end the file, the directory must stand right before it, the first member at
offset 0, and members may neither overlap nor leave holes. Source: PKWARE's APPNOTE.TXT 6.3.10,
sections 4.3 to 4.5.
"""

import struct
import zlib
from collections.abc import Iterator
from functools import cached_property
from io import BytesIO
from typing import NamedTuple

from paramctl.errors import LimitError, MalformedError
from paramctl.sources import Source

STORED, DEFLATED = 0, 8
ENCRYPTED, LEVELS, DESCRIPTOR, PATCH, UTF8 = 0x2041, 6, 8, 0x20, 0x800  # bits of the flags
MAX_MEMBERS = 1_000_000  # a checkpoint of 100,000 tensors has 100,006
MAX_DIRECTORY = 128 << 20  # 134 bytes a member; torch's take about 65
CHUNK = 1 << 16

_LOCAL = struct.Struct("<4s2x2H4x3L2H")
_CENTRAL = struct.Struct("<4s4x2H4x3L4H6xL")
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ4x2L4Q")
_FIELD = struct.Struct("<2H")
_WIDE = 0xFFFFFFFF  # says that the number stands in the 64-bit extra field
_ZIP64, _SECOND_NAME = 1, 0x7075  # extra fields: 64-bit numbers, Info-ZIP's Unicode path
_DESCRIPTOR_SIZES = (12, 16, 20, 24)  # with a signature or not, of 32 bits or 64
_MAX_SLACK = 0xFFFF + 24  # a local header's extra fields and a descriptor


class Member(NamedTuple):
    """A file in the archive: `packed` bytes stored at `header`, `size` unpacked.

    `end` is where the next member begins, or the directory.
    """

    name: str
    method: int
    crc: int
    packed: int
    size: int
    header: int
    flags: int
    end: int


def read_directory(source: Source) -> dict[str, Member]:
    """Read the archive's directory; no member is touched.

    Raises:
        MalformedError: the archive breaks a rule, or readers could differ on what it holds.
        LimitError: it has too many members, or too long a directory.
    """
    count, offset, nbytes = _read_end(source)
    if count > MAX_MEMBERS:
        raise LimitError(f"a zip archive of {count} members, over the limit of {MAX_MEMBERS}")
    if nbytes > MAX_DIRECTORY:
        raise LimitError(f"a zip directory of {nbytes} bytes, over the limit of {MAX_DIRECTORY}")
    members: dict[str, Member] = {}
    folded: set[str] = set()  # torch takes the first of the names that differ in case alone
    for member in _place(list(_read_entries(source.read(offset, nbytes), count)), offset):
        name = member.name.lower()
        if name in folded:
            raise MalformedError(f"two zip members have the name '{member.name}', its case apart")
        folded.add(name)
        members[member.name] = member
    return members


def _read_end(source: Source) -> tuple[int, int, int]:
    """Return the number of members, and the offset and the size of their directory."""
    place = source.size - _END.size
    record = source.read(place, _END.size) if place >= 0 else b""
    if not record.startswith(b"PK\5\6"):
        raise MalformedError("a zip archive cut short, or with bytes behind it: no end record")
    _, *numbers, comment = _END.unpack(record)
    if comment:
        raise MalformedError(f"the zip end record says that {comment} bytes of comment follow it")
    if place >= _LOCATOR.size:
        place, numbers = _read_end64(source, place, numbers)
    disk, first_disk, here, count, nbytes, offset = numbers
    if disk or first_disk or here != count:
        raise MalformedError(f"part {disk} of a zip archive in several, {here} of {count} members")
    if offset + nbytes != place:
        raise MalformedError(
            f"the zip directory lies at {offset} to {offset + nbytes}, "
            f"not right before the end record at {place}"
        )
    if count * _CENTRAL.size > nbytes:
        raise MalformedError(f"a zip directory of {nbytes} bytes cannot hold {count} members")
    return count, offset, nbytes


def _read_end64(source: Source, place: int, short: list[int]) -> tuple[int, list[int]]:
    """Return where the end records begin and their numbers, the 64-bit ones if there are any.

    Raises:
        MalformedError: the two records contradict each other.
    """
    locator = source.read(place - _LOCATOR.size, _LOCATOR.size)
    if not locator.startswith(b"PK\6\7"):
        return place, short
    _, disk, offset, disks = _LOCATOR.unpack(locator)
    if disk or disks != 1 or offset + _END64.size != place - _LOCATOR.size:
        raise MalformedError("the zip's 64-bit end record is not right before its locator")
    magic, size, *long = _END64.unpack(source.read(offset, _END64.size))
    if magic != b"PK\6\6" or size != _END64.size - 12:
        raise MalformedError("the zip's 64-bit end record is broken", where=f"offset {offset}")
    for small, large, mark in zip(short, long, (0xFFFF,) * 4 + (_WIDE,) * 2, strict=True):
        if small not in (large, mark):
            raise MalformedError(f"the zip's two end records differ: {small} and {large}")
    return offset, long


def _read_entries(directory: bytes, count: int) -> Iterator[Member]:
    """Yield each member; its `end` is the first place where the next one could begin."""
    position = 0
    for _ in range(count):
        start = position + _CENTRAL.size
        if start > len(directory):
            raise MalformedError(f"the zip directory ends before its {count} members do")
        magic, flags, method, crc, packed, size, name, extra, comment, disk, header = (
            _CENTRAL.unpack_from(directory, position)
        )
        fields = start + name
        position = fields + extra + comment
        if magic != b"PK\1\2" or position > len(directory):
            raise MalformedError(
                "broken zip directory", where=f"byte {start - _CENTRAL.size} of it"
            )
        text = _decode_name(directory[start:fields], flags)
        if extra or _WIDE in (size, packed, header):
            body = _find_zip64(text, directory[fields : fields + extra])
            size, packed, header = _widen(text, body, size, packed, header)
        end = header + _LOCAL.size + name + packed
        member = tuple.__new__(Member, (text, method, crc, packed, size, header, flags, end))
        if disk or method != STORED or flags & ~(DESCRIPTOR | UTF8) or packed != size:
            _check_entry(member, disk)
        yield member
    if position != len(directory):
        behind = len(directory) - position
        raise MalformedError(f"{behind} bytes of the zip directory after its {count} members")


def _check_entry(member: Member, disk: int) -> None:
    """Refuse what is not plainly stored or deflated here."""
    name, method, _, packed, size, _, flags, _ = member
    for wrong, what in (
        (flags & ENCRYPTED, "is encrypted"),
        (flags & PATCH, "is a patch"),
        (flags & ~(LEVELS | DESCRIPTOR | UTF8), f"has unknown flags {flags:#06x}"),
        (disk, f"is in part {disk} of the archive"),
        (method not in (STORED, DEFLATED), f"is compressed by method {method}"),
        (method == STORED and packed != size, f"is stored in {packed} bytes, and has {size}"),
    ):
        if wrong:
            raise MalformedError(f"zip member '{name}' {what}")


def _decode_name(name: bytes, flags: int) -> str:
    if b"\0" in name:
        raise MalformedError(f"a zip member has a NUL in its name: {name!r}")
    if name.isascii():
        return name.decode("ascii")
    try:
        return name.decode("utf-8" if flags & UTF8 else "cp437")
    except UnicodeDecodeError as error:
        raise MalformedError(f"the name of a zip member is not UTF-8: {name!r}") from error


def _find_zip64(name: str, extra: bytes) -> bytes:
    """Return the body of the 64-bit extra field, empty where there is none."""
    found = b""
    position = 0
    while position + _FIELD.size <= len(extra):
        kind, length = _FIELD.unpack_from(extra, position)
        start = position + _FIELD.size
        position = start + length
        if position > len(extra) or (kind == _ZIP64 and found):
            raise MalformedError(f"zip member '{name}' has broken extra fields")
        if kind == _SECOND_NAME:
            raise MalformedError(f"zip member '{name}' has a second name in an extra field")
        if kind == _ZIP64:
            found = extra[start:position]
    return found


def _widen(name: str, body: bytes, *sizes: int) -> list[int]:
    """Replace each size that is all ones by the next number of the 64-bit field."""
    count = sizes.count(_WIDE)
    if len(body) != 8 * count:
        raise MalformedError(
            f"zip member '{name}' has {len(body)} bytes of 64-bit numbers, not {8 * count}"
        )
    wide = iter(struct.unpack(f"<{count}Q", body))
    return [next(wide) if size == _WIDE else size for size in sizes]


def _place(members: list[Member], directory: int) -> Iterator[Member]:
    """Yield the members with their true ends: they must fill the file up to the directory."""
    headers = sorted([member.header for member in members], reverse=True)
    ends = [directory, *headers]
    if ends[-1]:
        raise MalformedError(f"{ends[-1]} bytes before the first member of the zip archive")
    following = dict(zip(headers, ends, strict=False))  # of two at one place: that place
    for name, method, crc, packed, size, header, flags, least in members:
        end = following[header]
        if not least <= end <= least + _MAX_SLACK:
            raise MalformedError(
                f"zip member '{name}' at {header} ends at {least} at the least, and what follows "
                f"begins at {end}: an overlap or a hole"
            )
        yield tuple.__new__(Member, (name, method, crc, packed, size, header, flags, end))


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


def _find_data(source: Source, member: Member) -> int:
    """Return where a member's bytes begin, behind its local header.

    Raises:
        MalformedError: the local header is not that of the directory's entry.
    """
    head = source.read(member.header, _LOCAL.size)
    magic, flags, method, crc, packed, size, name, extra = _LOCAL.unpack(head)
    start = member.header + _LOCAL.size
    fields = source.read(start, name + extra)
    body = _find_zip64(member.name, fields[name:])
    if not flags & DESCRIPTOR:
        size, packed = _widen(member.name, body, size, packed)
    for what, here, listed, absent in (
        ("signature", magic, b"PK\3\4", ()),
        ("flags", flags, member.flags, ()),
        ("method", method, member.method, ()),
        ("name", _decode_name(fields[:name], flags), member.name, ()),
        ("checksum", crc, member.crc, (0,)),
        ("packed size", packed, member.packed, (0, _WIDE)),
        ("size", size, member.size, (0, _WIDE)),
    ):
        if here != listed and not (flags & DESCRIPTOR and here in absent):
            raise MalformedError(
                f"zip member '{member.name}' has the {what} {here!r} in its own header, "
                f"{listed!r} in the directory"
            )
    behind = member.end - start - name - extra - member.packed
    if behind not in (_DESCRIPTOR_SIZES if flags & DESCRIPTOR else (0,)):
        raise MalformedError(f"zip member '{member.name}' has {behind} bytes behind its data")
    return start + name + extra


class _Stored(Source):
    """A member that is stored as it is."""

    def __init__(self, archive: Source, member: Member) -> None:
        self.name = archive.name
        self.size = member.size
        self._archive = archive
        self._member = member

    @cached_property
    def _start(self) -> int:
        return _find_data(self._archive, self._member)

    def _read(self, offset: int, length: int) -> bytes:
        return self._archive.read(self._start + offset, length)


class _Deflated(_Stored):
    """A deflated member: inflated from its beginning up to what is asked for, and on from there."""

    def __init__(self, archive: Source, member: Member) -> None:
        super().__init__(archive, member)
        self._rewind()

    def _rewind(self) -> None:
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._left = self._member.packed
        self._position = 0

    def _read(self, offset: int, length: int) -> bytes:
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
