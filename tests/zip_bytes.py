"""Zip archives as bytes: made of members, or torch's own with fields changed that no writer would.

Source: PKWARE's APPNOTE.TXT 6.3.10, section 4.3.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import torch

STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED

LOCAL = {"flags": "6H", "method": "8H", "crc": "14L", "packed": "18L", "size": "22L"}
CENTRAL = {
    "flags": "8H",
    "method": "10H",
    "crc": "16L",
    "packed": "20L",
    "size": "24L",
    "disk": "34H",
    "header": "42L",
}
END = {
    "disk": "4H",
    "first disk": "6H",
    "here": "8H",
    "count": "10H",
    "nbytes": "12L",
    "offset": "16L",
    "comment": "20H",
}
END64 = {"size": "4Q", "here": "24Q", "count": "32Q", "nbytes": "40Q", "offset": "48Q"}
LOCATOR = {"disk": "4L", "offset": "8Q", "disks": "16L"}


def save(value: object, **options: Any) -> bytes:
    """Return what `torch.save` writes."""
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def make_zip(
    members: Mapping[str, bytes] | Iterable[tuple[str, bytes]], method: int = STORED
) -> bytes:
    """Make an archive of these members, of which two may have one name."""
    pairs = members.items() if isinstance(members, Mapping) else members
    body, directory, count = b"", b"", 0
    for name, data in pairs:
        head, packed = _head(name, data, method)
        directory += struct.pack("<4s2H", b"PK\1\2", 20, 20) + head[6:30]
        directory += struct.pack("<3H2L", 0, 0, 0, 0, len(body)) + name.encode()
        body += head + packed
        count += 1
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + end


def _head(name: str, data: bytes, method: int) -> tuple[bytes, bytes]:
    """Return the local header of a member and its packed bytes."""
    packed = data
    if method == DEFLATED:
        deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = deflater.compress(data) + deflater.flush()
    flags = 0 if name.isascii() else 0x800
    sizes = (zlib.crc32(data), len(packed), len(data), len(name.encode()), 0)
    return struct.pack(
        "<4s5H3L2H", b"PK\3\4", 20, flags, method, 0, 0x21, *sizes
    ) + name.encode(), packed


def torch_zip(
    pickle: bytes, storages: Mapping[str, bytes] = {}, other: Mapping[str, bytes] = {}
) -> bytes:
    """Make torch's archive of a pickle, of storages by key, and of other records by name."""
    records = {"data.pkl": pickle, **{f"data/{key}": data for key, data in storages.items()}}
    return make_zip({f"archive/{name}": data for name, data in {**records, **other}.items()})


def members(data: bytes) -> dict[str, bytes]:
    """Return what `zipfile` reads in an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def change(data: bytes, *fields: tuple[str, str, int]) -> bytes:
    """Set fields of an archive's records.

    Each field is (record, field, number), where the record is `end`, `end64`, `locator`, or `local`
    or `central` and a member's name: ("central archive/data.pkl", "crc", 0).
    """
    changed = bytearray(data)
    for record, field, value in fields:
        place, table = find_record(data, record)
        layout = table[field]
        struct.pack_into(f"<{layout[-1]}", changed, place + int(layout[:-1]), value)
    return bytes(changed)


def change_both(data: bytes, name: str, **fields: int) -> bytes:
    """Set fields of a member's own header and of its entry in the directory."""
    both = [
        (f"{record} {name}", f, v) for record in ("local", "central") for f, v in fields.items()
    ]
    return change(data, *both)


def find_record(data: bytes, record: str) -> tuple[int, dict[str, str]]:
    """Return where a record begins, and the places of its fields."""
    kind, _, name = record.partition(" ")
    magic, size, table = {
        "local": (b"PK\3\4", 30, LOCAL),
        "central": (b"PK\1\2", 46, CENTRAL),
        "end": (b"PK\5\6", 22, END),
        "end64": (b"PK\6\6", 56, END64),
        "locator": (b"PK\6\7", 20, LOCATOR),
    }[kind]
    place = data.find(magic)
    while name and data[place + size : place + size + len(name)] != name.encode():
        place = data.index(magic, place + 1)
    assert place >= 0, record
    return place, table


def rename(data: bytes, record: str, name: str) -> bytes:
    """Give a member another name of the same length, in one of its two places."""
    place, _ = find_record(data, record)
    place += 30 if record.startswith("local") else 46
    return data[:place] + name.encode() + data[place + len(name) :]


def replace(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace what stands in `data` exactly once."""
    assert data.count(old) == 1, (old, data.count(old))
    return data.replace(old, new)


def deflated_zeros(nbytes: int, before: bytes = b"") -> tuple[bytes, int]:
    """Return zeros deflated as far as it goes, and their checksum; `nbytes` a multiple of 64 MiB.

    One piece is deflated and stands there as often as it takes, behind what is to come `before`.
    """
    piece = bytes(1 << 26)
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = deflater.compress(before) + deflater.flush(zlib.Z_FULL_FLUSH)
    packed = deflater.compress(piece) + deflater.flush(zlib.Z_FULL_FLUSH)
    count, crc = nbytes // len(piece), zlib.crc32(before)
    for _ in range(count):
        crc = zlib.crc32(piece, crc)
    return head + packed * count + deflater.flush(), crc
