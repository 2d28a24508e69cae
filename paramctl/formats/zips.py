"""Zip archives, strictly: whatever two readers could see differently is an error.

The end record must end the file, the directory must stand right before it, the first member at
offset 0, and members may neither overlap nor leave holes. Source: PKWARE's APPNOTE.TXT 6.3.10,
sections 4.3 to 4.5.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from paramctl.errors import AGAIN, LimitError, MalformedError
from paramctl.sources import Source

STORED, DEFLATED = 0, 8
ENCRYPTED, LEVELS, DESCRIPTOR, PATCH, UTF8 = 0x2041, 6, 8, 0x20, 0x800  # bits of the flags
FOLDER = 0x10  # of the attributes; torch returns what was in memory for such a member's bytes
MAX_MEMBERS = 1_000_000  # a checkpoint of 100,000 tensors has 100,006
MAX_DIRECTORY = 128 << 20  # 134 bytes a member; torch's take about 65

LOCAL = struct.Struct("<4s2x2H4x3L2H")
CENTRAL = struct.Struct("<4s4x2H4x3L4H2x2L")
END = struct.Struct("<4s4H2LH")
LOCATOR = struct.Struct("<4sLQL")
END64 = struct.Struct("<4sQ4x2L4Q")
FIELD = struct.Struct("<2H")
WIDE = 0xFFFFFFFF  # says that the number stands in the 64-bit extra field
ZIP64, _SECOND_NAME = 1, 0x7075  # extra fields: 64-bit numbers, Info-ZIP's Unicode path
_MAX_SLACK = 0xFFFF + 24  # a local header's extra fields and a descriptor


class Member(NamedTuple):
    """A file in the archive: `packed` bytes stored at `header`, `size` unpacked.

    `end` is where the next member begins, or the directory. `crc` is None where none was computed.
    """

    name: str
    method: int
    crc: int | None
    packed: int
    size: int
    header: int
    flags: int
    end: int


_Entry = tuple[str, int, int, int, int, int, int, int]  # a member's, in half the time


def read_directory(source: Source, *, folds_case: bool = True) -> dict[str, Member]:
    """Read the archive's directory; no member is touched.

    With `folds_case` two names may not differ in case alone: torch takes one for the other.

    Raises:
        MalformedError: the archive breaks a rule, or readers could differ on what it holds.
        LimitError: it has too many members, or too long a directory.
    """
    count, offset, nbytes = _read_end(source)
    if count > MAX_MEMBERS:
        raise LimitError(f"a zip archive of {count} members, over the limit of {MAX_MEMBERS}")
    if nbytes > MAX_DIRECTORY:
        raise LimitError(f"a zip directory of {nbytes} bytes, over the limit of {MAX_DIRECTORY}")
    if count * CENTRAL.size > nbytes:
        raise MalformedError(f"a zip directory of {nbytes} bytes cannot hold {count} members")
    members: dict[str, Member] = {}
    folded: set[str] = set()
    for member in _place(list(_read_entries(source.read(offset, nbytes), count)), offset):
        name = member.name.lower() if folds_case else member.name
        if name in members or name in folded:
            raise MalformedError(f"two zip members have the name '{member.name}', its case apart")
        if name != member.name:
            folded.add(name)
        members[member.name] = member
    return members


def _read_end(source: Source) -> tuple[int, int, int]:
    """Return the number of members, and the offset and the size of their directory."""
    place = source.size - END.size
    record = source.read(place, END.size) if place >= 0 else b""
    if not record.startswith(b"PK\5\6"):
        raise MalformedError(
            "a zip archive cut short, or with bytes behind it: no end record", hint=AGAIN
        )
    _, *numbers, comment = END.unpack(record)
    if comment:
        raise MalformedError(f"the zip end record says that {comment} bytes of comment follow it")
    if place >= LOCATOR.size:
        place, numbers = _read_end64(source, place, numbers)
    disk, first_disk, here, count, nbytes, offset = numbers
    if disk or first_disk or here != count:
        raise MalformedError(f"part {disk} of a zip archive in several, {here} of {count} members")
    if offset + nbytes != place:
        raise MalformedError(
            f"the zip directory lies at {offset} to {offset + nbytes}, "
            f"not right before the end record at {place}"
        )
    return count, offset, nbytes


def _read_end64(source: Source, place: int, short: list[int]) -> tuple[int, list[int]]:
    """Return where the end records begin and their numbers, the 64-bit ones if there are any.

    Raises:
        MalformedError: the two records contradict each other.
    """
    locator = source.read(place - LOCATOR.size, LOCATOR.size)
    if not locator.startswith(b"PK\6\7"):
        return place, short
    _, disk, offset, disks = LOCATOR.unpack(locator)
    if disk or disks != 1 or offset + END64.size != place - LOCATOR.size:
        raise MalformedError("the zip's 64-bit end record is not right before its locator")
    magic, size, *long = END64.unpack(source.read(offset, END64.size))
    if magic != b"PK\6\6" or size != END64.size - 12:
        raise MalformedError("the zip's 64-bit end record is broken", where=f"offset {offset}")
    for small, large, mark in zip(short, long, (0xFFFF,) * 4 + (WIDE,) * 2, strict=True):
        if small not in (large, mark):
            raise MalformedError(f"the zip's two end records differ: {small} and {large}")
    return offset, long


def _read_entries(directory: bytes, count: int) -> Iterator[_Entry]:
    """Yield each member's fields; the last is the first place where the next one could begin."""
    position = 0
    for _ in range(count):
        start = position + CENTRAL.size
        if start > len(directory):
            raise MalformedError(f"the zip directory ends before its {count} members do")
        magic, flags, method, crc, packed, size, name, extra, comment, disk, attributes, header = (
            CENTRAL.unpack_from(directory, position)
        )
        fields = start + name
        position = fields + extra + comment
        if magic != b"PK\1\2" or position > len(directory):
            raise MalformedError("broken zip directory", where=f"byte {start - CENTRAL.size} of it")
        text = decode_name(directory[start:fields], flags)
        if extra or WIDE in (size, packed, header):
            body = find_zip64(text, directory[fields : fields + extra])
            size, packed, header = widen(text, body, size, packed, header)
        end = header + LOCAL.size + name + packed
        entry = (text, method, crc, packed, size, header, flags, end)
        odd = attributes & FOLDER or flags & ~(DESCRIPTOR | UTF8) or text[-1:] == "/"
        if odd or disk or method != STORED or packed != size:
            _check_entry(entry, disk, attributes)
        yield entry
    if position != len(directory):
        behind = len(directory) - position
        raise MalformedError(f"{behind} bytes of the zip directory after its {count} members")


def _check_entry(entry: _Entry, disk: int, attributes: int) -> None:
    """Refuse what is not plainly stored or deflated here."""
    name, method, _, packed, size, _, flags, _ = entry
    folder = attributes & FOLDER or name.endswith("/")
    for wrong, what in (
        (flags & ENCRYPTED, "is encrypted"),
        (flags & PATCH, "is a patch"),
        (flags & ~(LEVELS | DESCRIPTOR | UTF8), f"has unknown flags {flags:#06x}"),
        (disk, f"is in part {disk} of the archive"),
        (folder and size, f"is a folder, and has {size} bytes"),
        (method not in (STORED, DEFLATED), f"is compressed by method {method}"),
        (method == STORED and packed != size, f"is stored in {packed} bytes, and has {size}"),
    ):
        if wrong:
            raise MalformedError(f"zip member '{name}' {what}")


def decode_name(name: bytes, flags: int) -> str:
    """Decode a member's name by the encoding that its flags say."""
    if b"\0" in name:
        raise MalformedError(f"a zip member has a NUL in its name: {name!r}")
    try:
        text = name.decode()
    except UnicodeDecodeError as error:
        if flags & UTF8:
            raise MalformedError(f"the name of a zip member is not UTF-8: {name!r}") from error
        return name.decode("cp437")
    if not (flags & UTF8 or name.isascii()):
        raise MalformedError(f"a zip member's name is UTF-8, and not said to be: {name!r}")
    return text


def find_zip64(name: str, extra: bytes) -> bytes:
    """Return the body of the 64-bit extra field, empty where there is none."""
    found: list[bytes] = []
    position = 0
    while position + FIELD.size <= len(extra):
        kind, length = FIELD.unpack_from(extra, position)
        start = position + FIELD.size
        position = start + length
        if position > len(extra) or (kind == ZIP64 and found):
            raise MalformedError(f"zip member '{name}' has broken extra fields")
        if kind == _SECOND_NAME:
            raise MalformedError(f"zip member '{name}' has a second name in an extra field")
        if kind == ZIP64:
            found.append(extra[start:position])
    return b"".join(found)


def widen(name: str, body: bytes, *sizes: int) -> list[int]:
    """Replace each size that is all ones by the next number of the 64-bit field."""
    count = sizes.count(WIDE)
    if len(body) != 8 * count:
        raise MalformedError(
            f"zip member '{name}' has {len(body)} bytes of 64-bit numbers, not {8 * count}"
        )
    wide = iter(struct.unpack(f"<{count}Q", body))
    return [next(wide) if size == WIDE else size for size in sizes]


def _place(entries: list[_Entry], directory: int) -> Iterator[Member]:
    """Yield the members with their true ends: they must fill the file up to the directory."""
    headers = sorted([entry[5] for entry in entries], reverse=True)
    is_checked = any(entry[2] for entry in entries)  # torch writes zeros if told not to compute any
    ends = [directory, *headers]
    if ends[-1]:
        raise MalformedError(f"{ends[-1]} bytes before the first member of the zip archive")
    following = dict(zip(headers, ends, strict=False))  # of two at one place: that place
    for name, method, crc, packed, size, header, flags, least in entries:
        end = following[header]
        if not least <= end <= least + _MAX_SLACK:
            raise MalformedError(
                f"zip member '{name}' at {header} ends at {least} at the least, and what follows "
                f"begins at {end}: an overlap or a hole"
            )
        checksum = crc if is_checked else None
        yield Member(name, method, checksum, packed, size, header, flags, end)
