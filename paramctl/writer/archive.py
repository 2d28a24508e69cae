"""Zip archives of members that are stored as they are, laid out before a byte of them is read.

As torch writes them: data begins at a multiple of 64 bytes, behind padding in an extra field of its
own, and the checksum follows behind it. Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 to 4.5;
pytorch, caffe2/serialize/inline_container.cc.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple
from zlib import crc32

from paramctl.checkpoint import Entry
from paramctl.errors import UsageError
from paramctl.formats import zips
from paramctl.writer.blocks import whole
from paramctl.writer.checks import storage_of
from paramctl.writer.checksum import Checksum
from paramctl.writer.layout import Layout, Made, Part, Stored, literal

ALIGNMENT = 64
PADDING, FILLER = 0x4246, b"Z"  # torch's extra field, "FB"
FLAGS = zips.DESCRIPTOR | zips.UTF8
MAX_NAME = FEW = 0xFFFF  # bytes of a name; members, of which more are counted elsewhere

_DESCRIPTOR, _DESCRIPTOR64 = struct.Struct("<4s3L"), struct.Struct("<4sL2Q")


class Record(NamedTuple):
    """What the directory says of a member; its checksum is known when it has been written."""

    name: bytes
    size: int
    header: int
    checksum: Checksum

    @property
    def extra(self) -> bytes:
        """The 64-bit extra field, empty where all numbers have 32 bits."""
        if max(self.size, self.header) < zips.WIDE:
            return b""
        sizes = (self.size, self.size, self.header)
        return _zip64(*(number for number in sizes if number >= zips.WIDE))

    @property
    def descriptor(self) -> struct.Struct:
        """The form of what stands behind the data."""
        return _DESCRIPTOR if self.size < zips.WIDE else _DESCRIPTOR64

    def describe(self) -> bytes:
        """Return what stands behind the data."""
        return self.descriptor.pack(b"PK\7\x08", self.checksum.value, self.size, self.size)

    def encode(self) -> bytes:
        """Return the member's entry in the directory."""
        size, header = min(self.size, zips.WIDE), min(self.header, zips.WIDE)
        extra = self.extra
        lengths = (len(self.name), len(extra), 0, 0)
        numbers = (FLAGS, zips.STORED, self.checksum.value, size, size, *lengths, 0, header)
        return zips.CENTRAL.pack(b"PK\1\2", *numbers) + self.name + extra


class Archive:
    """An archive in the making: members are added in order, then it is laid out."""

    def __init__(
        self, parts: Iterable[Part] = (), records: Iterable[Record] = (), position: int = 0
    ) -> None:
        self._parts = [*parts]
        self._records = [*records]
        self._position = position

    def copy(self) -> "Archive":
        """Return another that holds the same members so far."""
        return Archive(self._parts, self._records, self._position)

    def add(self, name: str, head: bytes, entry: Entry | None = None) -> None:
        """Add a member that holds `head`, and behind it the values of an entry.

        Raises:
            UsageError: its name is longer than an archive allows.
        """
        encoded = name.encode()
        if len(encoded) > MAX_NAME:
            what = f"'{name}' is too long for the name of an archive's member"
            raise UsageError(what, hint=".safetensors files hold it")
        size = len(head) + (entry.nbytes if entry else 0)
        record = Record(encoded, size, self._position, Checksum(crc32(head)))
        self._records.append(record)
        start = self._header(record) + head
        if entry is None:
            self._append(literal(start + record.describe()))
        else:
            self._append(literal(start))
            self._append(_stored(entry, head, record.checksum))
            self._append(Made(record.descriptor.size, record.describe))

    def lay_out(self) -> Layout:
        """Return the file: the members, their directory, and where this lies."""
        offset, count = self._position, len(self._records)
        nbytes = sum(zips.CENTRAL.size + len(each.name + each.extra) for each in self._records)
        records = self._records
        self._append(Made(nbytes, lambda: b"".join(record.encode() for record in records)))
        self._append(literal(_end(count, nbytes, offset)))
        return Layout(tuple(self._parts), self._position)

    def _append(self, part: Part) -> None:
        self._parts.append(part)
        self._position += part.nbytes

    def _header(self, record: Record) -> bytes:
        """Return what stands before a member's data; its sizes stand behind, if not too large."""
        is_wide = record.size >= zips.WIDE
        fields = _zip64(record.size, record.size) if is_wide else b""
        start = record.header + zips.LOCAL.size + len(record.name + fields) + zips.FIELD.size
        padding = -start % ALIGNMENT
        fields += zips.FIELD.pack(PADDING, padding) + padding * FILLER
        size = zips.WIDE if is_wide else 0
        numbers = (FLAGS, zips.STORED, 0, size, size, len(record.name), len(fields))
        return zips.LOCAL.pack(b"PK\3\4", *numbers) + record.name + fields


def _stored(entry: Entry, head: bytes, checksum: Checksum) -> Stored:
    """Return the values of an entry; the checksum of what an archive's member holds is known."""
    source, piece = storage_of(entry).source, whole(entry)
    if source.checksum is None or head or not piece.is_copy or piece.nbytes != source.size:
        return Stored((entry,), entry.nbytes, checksum)
    checksum.value = source.checksum
    return Stored((entry,), entry.nbytes)


def _zip64(*numbers: int) -> bytes:
    """Return the extra field of the numbers that have more than 32 bits."""
    return zips.FIELD.pack(zips.ZIP64, 8 * len(numbers)) + struct.pack(
        f"<{len(numbers)}Q", *numbers
    )


def _end(count: int, nbytes: int, offset: int) -> bytes:
    """Return what ends an archive; where numbers are too large for it, a wider record before it."""
    few, place = min(count, FEW), (min(nbytes, zips.WIDE), min(offset, zips.WIDE))
    end = zips.END.pack(b"PK\5\6", 0, 0, few, few, *place, 0)
    if count < FEW and max(nbytes, offset) < zips.WIDE:
        return end
    wide = zips.END64.pack(b"PK\6\6", zips.END64.size - 12, 0, 0, count, count, nbytes, offset)
    return wide + zips.LOCATOR.pack(b"PK\6\7", 0, offset + nbytes, 1) + end
