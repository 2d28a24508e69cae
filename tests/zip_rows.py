"""Section B of the hostile inputs: torch's zip archives, patched where no writer would."""

import struct
from pathlib import Path

import torch
from hostile import Row
from pickle_bytes import (
    dictionary,
    number,
    numbers,
    pickled,
    storage,
    tensor,
)
from safetensors_rows import header
from zip_bytes import (
    DEFLATED,
    change,
    change_both,
    deflated_zeros,
    find_record,
    make_zip,
    members,
    rename,
    replace,
    save,
    torch_zip,
)

PKL = "archive/data.pkl"
RECORD = "archive/data/0"
MODEL = save({"w": torch.arange(4.0), "v": torch.arange(3)})
"""What torch writes: data descriptors, and both end records."""
HELD = members(MODEL)
PLAIN = make_zip(HELD)
"""The same as most writers of zip archives do it: neither."""
DIRECTORY = find_record(MODEL, f"central {PKL}")[0]
END, END64 = find_record(MODEL, "end")[0], find_record(MODEL, "end64")[0]


def _shared_record(data: bytes) -> bytes:
    """Let two entries of the directory name one member's bytes, as zip bombs do."""
    first, _ = find_record(data, f"central {RECORD}")
    entry = data[first : data.index(b"PK\1\2", first + 1)]
    count = len(members(data)) + 1
    end, _ = find_record(data, "end")
    offset, _ = find_record(data, f"central {PKL}")
    copy = replace(entry, RECORD.encode(), b"archive/data/9")
    data = data[:first] + copy + data[first:end] + data[end:]
    nbytes = end - offset + len(copy)
    return change(data, ("end", "here", count), ("end", "count", count), ("end", "nbytes", nbytes))


def _hole(data: bytes) -> bytes:
    """Put bytes between two members and correct every offset."""
    place, _ = find_record(data, f"local {RECORD}")
    moved = [name for name in HELD if find_record(data, f"local {name}")[0] >= place]
    starts = {name: find_record(data, f"local {name}")[0] for name in moved}
    offset, _ = find_record(data, f"central {PKL}")
    fields = [(f"central {name}", "header", start + 4) for name, start in starts.items()]
    changed = change(data, *fields, ("end", "offset", offset + 4))
    return changed[:place] + b"hole" + changed[place:]


def _prefixed(prefix: bytes) -> bytes:
    """Put a prefix before an archive and correct every offset."""
    starts = {name: find_record(PLAIN, f"local {name}")[0] for name in HELD}
    offset, _ = find_record(PLAIN, f"central {PKL}")
    fields = [(f"central {name}", "header", at + len(prefix)) for name, at in starts.items()]
    return prefix + change(PLAIN, *fields, ("end", "offset", offset + len(prefix)))


def _bomb(folder: Path) -> Path:
    """Make an archive of 1 MB whose storage inflates to 1 GiB."""
    pickle = pickled(
        dictionary(w=tensor(storage(numel=number(1 << 28)), number(0), numbers(1 << 28)))
    )
    packed, crc = deflated_zeros(1 << 30)
    data = torch_zip(pickle, {"0": packed})
    path = folder / "B16.model"
    path.write_bytes(change_both(data, RECORD, method=8, size=1 << 30, crc=crc))
    return path


def _pickle_bomb(megabytes: int) -> bytes:
    """Make an archive whose deflated pickle is a few opcodes, very often."""
    return make_zip({PKL: b"\x80\x02" + b"]0" * (megabytes << 19) + b"}."}, DEFLATED)


def _many_members(folder: Path) -> Path:
    """Make an archive of 200,000 empty members beside a sound model."""
    names = [b"archive/extra/%06d" % place for place in range(200_000)]
    offset, _ = find_record(PLAIN, f"central {PKL}")
    end, _ = find_record(PLAIN, "end")
    sizes = struct.pack("<5H3L2H", 20, 0, 0, 0, 0x21, 0, 0, 0, 20, 0)
    body = b"".join(b"PK\3\4" + sizes + name for name in names)
    entries = [
        b"PK\1\2\x14\0" + sizes + bytes(10) + struct.pack("<L", offset + 50 * place) + name
        for place, name in enumerate(names)
    ]
    directory = PLAIN[offset:end] + b"".join(entries)
    count, start = len(names) + len(HELD), offset + len(body)
    end64 = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), start
    )
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + len(directory), 1)
    short = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(directory), start, 0)
    path = folder / "B24.model"
    path.write_bytes(PLAIN[:offset] + body + directory + end64 + locator + short)
    return path


def _sparse_directory(folder: Path, count: int, nbytes: int) -> Path:
    """Make an archive whose end records claim a long directory, all of it a hole in the file."""
    path = folder / f"B24-{count}.model"
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, nbytes, 64)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 64 + nbytes, 1)
    short = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 64, 0)
    with path.open("wb") as file:
        file.write(b"PK\3\4")
        file.seek(64 + nbytes)
        file.write(end64 + locator + short)
    return path


def _safetensors_with_zip() -> bytes:
    """Make a safetensors file whose one tensor is a zip archive, offsets corrected."""
    size = len(PLAIN)
    entry = f'{{"w":{{"dtype":"U8","shape":[{size}],"data_offsets":[0,{size}]}}}}'
    return _prefixed(header(entry))


def _tar_with_zip() -> bytes:
    """Make a zip archive whose first member's name makes a tar header of its first 512 bytes."""
    name = "archive/data.pkl".ljust(227, "x") + "ustar"
    return make_zip({name: bytes(600), **HELD})


REFUSED = [
    Row("B01", b"PK\3\4", 3, "no end record"),
    Row("B01-header", MODEL[:60], 3, "no end record"),
    Row("B02", MODEL[:END64], 3, "no end record"),
    Row("B02-end", MODEL[:END], 3, "no end record"),
    Row("B02-locator", MODEL[: END - 20] + MODEL[END:], 3, "not right before the end record"),
    Row("B03-middle", MODEL[: len(MODEL) // 2], 3, "no end record"),
    Row("B03-last-byte", MODEL[:-1], 3, "no end record"),
    Row("B03-directory", MODEL[:DIRECTORY] + MODEL[END64:], 3, "not right before"),
    Row("B03-start", MODEL[64:], 3, "a pickle, but not a torch checkpoint"),
    Row("B03-download", MODEL[:500] + bytes(len(MODEL) - 500), 3, "no end record"),
    Row(
        "B04", make_zip({"a/b.txt": b"x", "a/c": b""}), 3, "without data.pkl, not torch's; it holds"
    ),
    Row("B04-script", make_zip({"m/constants.pkl": b".", "m/version": b"2"}), 3, "constants.pkl"),
    Row("B04-names", make_zip({"a/\x1b]0;x\x07": b"x"}), 3, "\\x1b]0;x\\x07"),
    Row("B05", make_zip([*HELD.items(), (PKL, b"}.")]), 3, "two zip members have the name"),
    Row("B05-case", make_zip([*HELD.items(), ("archive/DATA.pkl", b"}.")]), 3, "its case apart"),
    Row("B05-storage", make_zip([*HELD.items(), (RECORD, b"")]), 3, "two zip members"),
    Row("B06", make_zip({**HELD, "b/data.pkl": b"}."}), 3, "b/data.pkl in one archive"),
    Row("B07", make_zip({"data.pkl": HELD[PKL]}), 3, "without data.pkl"),
    Row("B07-deep", make_zip({"a/b/data.pkl": HELD[PKL]}), 3, "without data.pkl"),
    Row(
        "B08",
        rename(PLAIN, f"local {PKL}", "archive/evil.pkl"),
        3,
        "has the name 'archive/evil.pkl'",
    ),
    Row("B08-nul", rename(MODEL, f"central {PKL}", "archive/data.pk\0"), 3, "NUL in its name"),
    Row("B09", change(MODEL, (f"central {PKL}", "flags", 0x809)), 3, "is encrypted"),
    Row("B09-local", change(MODEL, (f"local {PKL}", "flags", 0x809)), 3, "has the flags 2057"),
    Row("B09-both", change_both(MODEL, PKL, flags=0x809), 3, "is encrypted"),
    Row("B09-strong", change_both(MODEL, PKL, flags=0x849), 3, "is encrypted"),
    Row("B09-masked", change_both(MODEL, PKL, flags=0x2808), 3, "is encrypted"),
    Row("B09-patch", change_both(MODEL, PKL, flags=0x828), 3, "is a patch"),
    Row("B09-unknown", change_both(MODEL, PKL, flags=0x8808), 3, "unknown flags 0x8808"),
    Row("B10", replace(MODEL, b"q\x00(X\x01\0\0\0w", b"q\x00(X\x01\0\0\0z"), 3, "wrong checksum"),
    Row("B10-claimed", change_both(PLAIN, PKL, crc=1), 3, "wrong checksum"),
    Row("B11", change(PLAIN, (f"local {PKL}", "crc", 1)), 3, "the checksum 1 in its own header"),
    Row("B12", b"junk" + MODEL, 3, "in no format that paramctl reads"),
    Row("B12-script", _prefixed(b"#!/bin/sh\nexec rm -r /\n"), 3, "in no format"),
    Row("B12-magic", b"PK\3\4" + MODEL, 3, "64-bit end record"),
    Row("B12-offsets", _prefixed(b"PK\3\4"), 3, "4 bytes before the first member"),
    Row("B13", MODEL + b"junk", 3, "with bytes behind it"),
    Row("B13-comment", change(MODEL, ("end", "comment", 4)) + b"junk", 3, "with bytes behind it"),
    Row("B13-claimed", change(MODEL, ("end", "comment", 4)), 3, "4 bytes of comment"),
    Row("B13-second", MODEL + PLAIN, 3, "not right before the end record"),
    *(
        Row(f"B14-{name}", change_both(MODEL, PKL, method=method), 3, f"by method {method}")
        for name, method in (("99", 99), ("bzip2", 12), ("lzma", 14), ("zstd", 93), ("shrunk", 1))
    ),
    Row("B14-local", change(MODEL, (f"local {PKL}", "method", 8)), 3, "the method 8 in its own"),
    Row("B14-deflated", change_both(PLAIN, PKL, method=8), 3, "zip member 'archive/data.pkl'"),
    Row("B17", _pickle_bomb(257), 5, "over"),
    Row("B17-small", _pickle_bomb(2), 5, "of 2097156 bytes, over 1048576"),
    Row("B18", change_both(PLAIN, PKL, size=0xFFFFFFF0), 3, "and has 4294967280"),
    Row("B18-packed", change_both(PLAIN, PKL, size=0xFFFFFFF0, packed=0xFFFFFFF0), 3, "an overlap"),
    Row(
        "B18-deflated",
        change_both(make_zip(HELD, DEFLATED), PKL, size=10),
        3,
        "inflates to",
    ),
    Row("B19", change(PLAIN, (f"local {PKL}", "size", 1)), 3, "the size 1 in its own header"),
    Row(
        "B20", change(MODEL, (f"central {PKL}", "header", 0xFFFFFFF0)), 3, "before the first member"
    ),
    Row("B20-self", change(MODEL, (f"central {PKL}", "header", 4)), 3, "before the first member"),
    Row("B21", change(PLAIN, ("end", "nbytes", 0xFFFFFFF0)), 3, "not right before the end record"),
    Row("B21-offset", change(PLAIN, ("end", "offset", 0)), 3, "not right before"),
    Row("B21-long", change(MODEL, ("end64", "nbytes", 2**62)), 3, "two end records differ"),
    Row("B21-locator", change(MODEL, ("locator", "offset", 2**63)), 3, "not right before its"),
    Row("B22", change(PLAIN, ("end", "count", 65535)), 3, "8 of 65535 members"),
    Row(
        "B22-both", change(PLAIN, ("end", "count", 65535), ("end", "here", 65535)), 3, "cannot hold"
    ),
    Row("B22-fewer", change(PLAIN, ("end", "count", 7), ("end", "here", 7)), 3, "after its 7"),
    Row("B22-more", change(PLAIN, ("end", "count", 9), ("end", "here", 9)), 3, "before its 9"),
    Row("B22-none", change(PLAIN, ("end", "count", 0), ("end", "here", 0)), 3, "after its 0"),
    Row(
        "B22-long", change(MODEL, ("end64", "count", 7), ("end64", "here", 7)), 3, "records differ"
    ),
    Row("B23", _shared_record(PLAIN), 3, "an overlap or a hole"),
    Row("B23-hole", _hole(PLAIN), 3, "bytes behind its data"),
    Row(
        "B24-claimed", lambda f: _sparse_directory(f, 1_000_001, 100 << 20), 5, "of 1000001 members"
    ),
    Row("B24-long", lambda f: _sparse_directory(f, 1000, 200 << 20), 5, "directory of 209715200"),
    Row("B39", change(PLAIN, ("end", "disk", 1)), 3, "part 1 of a zip archive in several"),
    Row("B39-member", change(PLAIN, (f"central {PKL}", "disk", 1)), 3, "is in part 1 of the"),
    Row("B45-safetensors", _safetensors_with_zip(), 3, "both a safetensors file and a zip archive"),
    Row(
        "B45-legacy",
        _prefixed(save({"w": torch.ones(2)}, _use_new_zipfile_serialization=False)),
        3,
        "both a torch legacy file and a zip",
    ),
    Row("B45-tar", _tar_with_zip(), 3, "both a zip and a tar archive"),
    Row("B45-index", _prefixed(b'{"weight_map":{}}'), 3, "both a sharded file and a zip"),
    Row("B46", make_zip({"model.pt": MODEL}), 3, "without data.pkl, not torch's; it holds"),
]

LISTED = [
    Row(
        "B07-absolute", make_zip({f"/{name[8:]}": data for name, data in HELD.items()}), 0, "w\t[4]"
    ),
    Row("B15", make_zip(HELD, DEFLATED), 0, "w\t[4]\tfloat32\t4\t16"),
    Row("B16", _bomb, 0, "w\t[268435456]\tfloat32\t268435456\t1073741824"),
    Row("B46-beside", make_zip({**HELD, "archive/extra.zip": MODEL}), 0, "w\t[4]"),
]

MANY_MEMBERS = Row("B24", _many_members, 0, "w\t[4]")
"""The one row whose file is of 20 MB: 5 seconds are enough for its 200,000 members."""
