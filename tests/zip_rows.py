"""Section B of the hostile inputs: torch's zip archives, patched where no writer would."""

import struct
from pathlib import Path

import torch
from hostile import Row
from pickle_bytes import (
    FLOATS,
    LONGS,
    NONE,
    called,
    dictionary,
    number,
    numbers,
    pickled,
    state,
    storage,
    tensor,
    text,
    tuple_of,
)
from safetensors_rows import F32, header
from zip_bytes import (
    DEFLATED,
    change,
    change_both,
    deflated_zeros,
    find_record,
    make_zip,
    members,
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
FOUR = bytes(16)
BIG = 2**63


def one(pickle: bytes, **other: bytes) -> bytes:
    """Make the archive of a pickle whose tensors lie in one storage of four floats."""
    return torch_zip(pickle, {"0": FOUR}, **other)


def odd(**parts: bytes) -> bytes:
    """Make the archive of a state dict with an odd tensor."""
    return one(state(w=tensor(**parts)))


def without(record: str) -> bytes:
    """Make the sound archive without one of its records."""
    return make_zip({name: data for name, data in HELD.items() if name != record})


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
    return torch_zip(b"\x80\x02" + b"]0" * (megabytes << 19) + b"}.", method=DEFLATED)


def _many_members(folder: Path) -> Path:
    """Make an archive of 200,000 empty members beside a model of one tensor."""
    sound = one(state())
    names = [b"archive/extra/%06d" % place for place in range(200_000)]
    offset, _ = find_record(sound, f"central {PKL}")
    end, _ = find_record(sound, "end")
    sizes = struct.pack("<5H3L2H", 20, 0, 0, 0, 0x21, 0, 0, 0, 20, 0)
    body = b"".join(b"PK\3\4" + sizes + name for name in names)
    entries = [
        b"PK\1\2\x14\0" + sizes + bytes(10) + struct.pack("<L", offset + 50 * place) + name
        for place, name in enumerate(names)
    ]
    directory = sound[offset:end] + b"".join(entries)
    count, start = len(names) + 2, offset + len(body)
    end64 = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), start
    )
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + len(directory), 1)
    short = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(directory), start, 0)
    path = folder / "B24.model"
    path.write_bytes(sound[:offset] + body + directory + end64 + locator + short)
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
    Row("B02-locator", MODEL[:END64] + MODEL[END:], 3, "not right before the end record"),
    Row("B03-middle", MODEL[: len(MODEL) // 2], 3, "no end record"),
    Row("B03-last-byte", MODEL[:-1], 3, "no end record"),
    Row("B03-directory", MODEL[:DIRECTORY] + MODEL[END64:], 3, "not right before"),
    Row("B03-start", MODEL[64:], 3, "in no format that paramctl reads"),
    Row("B03-download", MODEL[:500] + bytes(len(MODEL) - 500), 3, "no end record"),
    Row(
        "B04", make_zip({"a/b.txt": b"x", "a/c": b""}), 3, "without data.pkl, not torch's; it holds"
    ),
    Row("B04-script", make_zip({"m/constants.pkl": b".", "m/version": b"2"}), 3, "constants.pkl"),
    Row("B04-names", make_zip({"a/\x1b]0;x\x07": b"x"}), 3, "\\x1b]0;x\\x07"),
    Row("B05", make_zip([*HELD.items(), (PKL, b"}.")]), 3, "two zip members have the name"),
    Row("B05-case", make_zip([*HELD.items(), ("archive/DATA.pkl", b"}.")]), 3, "its case apart"),
    Row("B05-storage", make_zip([*HELD.items(), (RECORD, FOUR)]), 3, "two zip members"),
    Row("B06", make_zip({**HELD, "b/data.pkl": b"}."}), 3, "b/data.pkl in one archive"),
    Row("B07", make_zip({"data.pkl": HELD[PKL]}), 3, "without data.pkl"),
    Row("B07-deep", make_zip({"a/b/data.pkl": HELD[PKL]}), 3, "without data.pkl"),
    Row("B07-absolute", make_zip({"/data.pkl": HELD[PKL]}), 3, "reaches"),
    Row("B08", replace(PLAIN, b"\0archive/data.pkl\x80", b"\0archive/evil.pkl\x80"), 3, "name"),
    Row("B08-nul", replace(MODEL, b"-archive/data.pkl", b"-archive/data.pk\0"), 3, "NUL"),
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
    Row("B13-second", MODEL + PLAIN, 3, "bytes before the first member"),
    *(
        Row(f"B14-{name}", change_both(MODEL, PKL, method=method), 3, f"by method {method}")
        for name, method in (("99", 99), ("bzip2", 12), ("lzma", 14), ("zstd", 93), ("shrunk", 1))
    ),
    Row("B14-local", change(MODEL, (f"local {PKL}", "method", 8)), 3, "the method 8 in its own"),
    Row("B14-deflated", change_both(PLAIN, PKL, method=8), 3, "zip member 'archive/data.pkl'"),
    Row(
        "B15-tail",
        replace(
            torch_zip(state(), {"0": FOUR}, DEFLATED),
            b"PK\1\2\x14\0\x14\0\0\0\x08\0\0\0\x21\0" + b"",
            b"",
        ),
        3,
        "x",
    ),
    Row("B17", _pickle_bomb(257), 5, "over"),
    Row("B17-ratio", _pickle_bomb(8), 5, "inflates"),
    Row("B18", change_both(PLAIN, PKL, size=0xFFFFFFF0), 3, "and has 4294967280"),
    Row("B18-packed", change_both(PLAIN, PKL, size=0xFFFFFFF0, packed=0xFFFFFFF0), 3, "an overlap"),
    Row(
        "B18-deflated",
        change_both(torch_zip(state(), {"0": FOUR}, DEFLATED), PKL, size=10),
        3,
        "inflates to",
    ),
    Row("B19", change(PLAIN, (f"local {PKL}", "size", 1)), 3, "the size 1 in its own header"),
    Row("B20", change(MODEL, (f"central {PKL}", "header", 0xFFFFFFF0)), 3, "an overlap or a hole"),
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
        "B24-claimed",
        change(
            MODEL,
            ("end", "count", 65535),
            ("end", "here", 65535),
            ("end64", "count", 2**32),
            ("end64", "here", 2**32),
        ),
        5,
        "of 4294967296 members",
    ),
    Row("B25", torch_zip(state(), {"0": bytes(15)}), 3, "does not fit its record of 15 bytes"),
    Row("B25-empty", torch_zip(state(), {"0": b""}), 3, "does not fit its record of 0 bytes"),
    Row("B26", torch_zip(state(), {"0": bytes(17)}), 3, "does not fit its record of 17 bytes"),
    Row("B27", without(RECORD), 3, "has no record 'data/0'"),
    *(
        Row(f"B28-{name}", odd(values=storage(key)), 3, message)
        for name, key, message in (
            ("up", text("../data/0"), "no record 'data/../data/0'"),
            ("absolute", text("/etc/passwd"), "no record 'data//etc/passwd'"),
            ("nul", text("0\0"), "no record 'data/0\\x00'"),
            ("empty", text(""), "no record 'data/'"),
            ("number", number(0), "not a name and a count"),
            ("none", NONE, "not a name and a count"),
            ("tuple", numbers(0), "not a name and a count"),
        )
    ),
    Row("B29", odd(values=storage(numel=number(-1))), 3, "not a name and a count"),
    Row("B29-big", odd(values=storage(numel=number(BIG))), 3, "does not fit its record"),
    Row("B29-text", odd(values=storage(numel=text("4"))), 3, "not a name and a count"),
    Row("B29-bool", odd(values=storage(numel=b"\x88")), 3, "not a name and a count"),
    Row("B30", odd(offset=number(-1)), 3, "its offset is of the wrong kind"),
    Row("B30-past", odd(offset=number(1)), 3, "reaches past its storage '0' of 16 bytes"),
    Row("B30-big", odd(offset=number(BIG)), 3, "reaches past its storage"),
    Row("B31", odd(size=numbers(-4)), 3, "shape is not a tuple of whole numbers"),
    Row("B31-stride", odd(stride=numbers(-1)), 3, "strides is not a tuple of whole numbers"),
    Row("B31-bool", odd(size=tuple_of(b"\x88")), 3, "shape is not a tuple of whole numbers"),
    Row("B31-float", odd(size=tuple_of(b"F4.0\n")), 3, "shape is not a tuple of whole numbers"),
    Row("B31-list", odd(size=b"](K\x04e"), 3, "shape is not a tuple of whole numbers"),
    Row("B32", odd(size=numbers(2, 2)), 3, "2 sizes and 1 strides"),
    Row("B34", odd(size=numbers(2**32, 2**31), stride=numbers(0, 0)), 3, "more than 2^63 - 1"),
    Row("B34-wraps", odd(size=numbers(2**32, 2**32, 4), stride=numbers(0, 0, 1)), 3, "2^63 - 1"),
    Row("B34-zero", odd(size=numbers(0, 2**64), stride=numbers(1, 1)), 3, "shape is not"),
    Row(
        "B35",
        odd(size=tuple_of(number(2**62) * 60_000), stride=tuple_of(number(0) * 60_000)),
        3,
        "shape is not",
    ),
    Row("B39", change(PLAIN, ("end", "disk", 1)), 3, "part 1 of a zip archive in several"),
    Row("B39-member", change(PLAIN, (f"central {PKL}", "disk", 1)), 3, "is in part 1 of the"),
    Row("B42", one(state(), byteorder=b"middle"), 3, "byteorder is 'middle'"),
    Row("B42-escape", one(state(), byteorder=b"\x1b[2J"), 3, "byteorder is '\\x1b[2J'"),
    Row("B42-long", one(state(), byteorder=bytes(1 << 20)), 3, "byteorder is"),
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

CANARY = called("builtins", "print", text("THE CANARY SANG"))
SYSTEM = called("os", "system", text("echo THE CANARY SANG >&2"))
HISTORY = called("mmengine.logging.history_buffer", "HistoryBuffer", numbers(1, 2))
QUANTIZED = torch.quantize_per_tensor(torch.rand(2, 3), 0.1, 2, torch.qint8)

LISTED = [
    Row("B15", torch_zip(state(), {"0": FOUR}, DEFLATED), 0, "ok\t[4]\tfloat32\t4\t16"),
    Row("B16", _bomb, 0, "w\t[268435456]\tfloat32\t268435456\t1073741824"),
    Row("B27-unused", one(pickled(dictionary(ok=tensor()))), 0, "ok\t[4]"),
    Row(
        "B28-odd",
        torch_zip(state(w=tensor(storage(text("a b/\x1b")))), {"0": FOUR, "a b/\x1b": FOUR}),
        0,
        "w\t[4]",
    ),
    Row(
        "B33",
        odd(size=numbers(2**40, 2**20), stride=numbers(0, 0)),
        0,
        f"w\t[{2**40}, {2**20}]\tfloat32\t{2**60}\t{2**62}\t-\t-\t-\texpanded from 4 bytes",
    ),
    Row("B36", one(state(w=tensor())), 0, "w\t[4]\tfloat32\t4\t16\t-\t-\tok\t"),
    Row(
        "B36-view",
        odd(offset=number(1), size=numbers(2)),
        0,
        "w\t[2]\tfloat32\t2\t8\t-\t-\t-\toverlaps ok",
    ),
    Row(
        "B36-dtype",
        one(state(w=tensor(storage(storage_class=LONGS, numel=number(2)), size=numbers(2)))),
        0,
        "w\t[2]\tint64\t2\t16\t-\t-\t-\toverlaps ok",
    ),
    Row(
        "B41-sparse",
        save({"w": torch.eye(3).to_sparse()}),
        0,
        "w\t[3, 3]\tfloat32\t9\t60\t-\t-\t-\tsparse_coo",
    ),
    Row("B41-csr", save({"w": torch.eye(3).to_sparse_csr()}), 0, "\tsparse_csr"),
    Row("B41-quantized", save({"w": QUANTIZED}), 0, "w\t[2, 3]\tqint8\t6\t6\t-\t-\t-\tquantized"),
    Row(
        "B41-nested",
        save({"w": torch.nested.nested_tensor([torch.ones(2), torch.ones(1)])}),
        0,
        "\tnested",
    ),
    Row(
        "B41-meta",
        save({"w": torch.empty(2, 3, device="meta")}),
        0,
        "w\t[2, 3]\tfloat32\t6\t0\t-\t-\t-\tmeta",
    ),
    Row("B42-big", one(state(), byteorder=b"big"), 0, "ok\t[4]"),
    Row("B46-beside", make_zip({**HELD, "archive/extra.zip": MODEL}), 0, "w\t[4]"),
]

NAMING_CODE = [
    Row("B37", one(state(h=HISTORY)), 4, "mmengine.logging.history_buffer.HistoryBuffer"),
    Row("B38", one(state(c=CANARY)), 4, "builtins.print"),
    Row("B38-system", one(state(c=SYSTEM)), 4, "os.system"),
    Row("B38-key", one(pickled(dictionary(ok=tensor())[:-1] + CANARY + NONE + b"u")), 4, "print"),
    Row(
        "B40-rot13",
        one(state(c=called("_codecs", "encode", text("x"), text("rot13")))),
        4,
        "_codecs.encode",
    ),
    Row(
        "B40-counter",
        one(state(c=called("collections", "Counter", text("x" * 500_000)))),
        4,
        "collections.Counter",
    ),
    Row(
        "B40-bytearray",
        one(state(c=called("builtins", "bytearray", number(3 << 30)))),
        4,
        "builtins.bytearray",
    ),
    Row(
        "B40-range",
        one(state(c=called("builtins", "list", called("builtins", "range", number(BIG))))),
        4,
        "builtins.range",
    ),
]
