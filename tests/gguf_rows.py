"""Section E of the hostile inputs: GGUF files made field by field, as no writer would."""

import struct
from collections.abc import Sequence
from pathlib import Path

from hostile import Row

F32, F16, Q4_0, Q4_K, I8 = 0, 1, 2, 12, 24
UINT8, UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY, FLOAT64 = 0, 4, 5, 6, 7, 8, 9, 12
HUGE = 2**64 - 1
ALIGNMENT = b"general.alignment"


def string(text: bytes, length: int = -1) -> bytes:
    """Return a string, which may say that it has another length."""
    return struct.pack("<Q", len(text) if length < 0 else length) + text


def pair(key: bytes, kind: int, value: bytes, length: int = -1) -> bytes:
    return string(key, length) + struct.pack("<I", kind) + value


def array(kind: int, count: int, items: bytes = b"") -> bytes:
    return struct.pack("<IQ", kind, count) + items


def info(
    name: bytes, sizes: Sequence[int] = (2,), kind: int = F32, offset: int = 0, *, dims: int = -1
) -> bytes:
    """Return what a header says of a tensor."""
    count = len(sizes) if dims < 0 else dims
    return string(name) + struct.pack(
        f"<I{len(sizes)}QIQ", count, *(size % 2**64 for size in sizes), kind, offset
    )


def gguf(
    *infos: bytes,
    pairs: Sequence[bytes] = (),
    data: bytes = bytes(8),
    version: int = 3,
    tensors: int = -1,
    keys: int = -1,
    alignment: int = 32,
) -> bytes:
    """Return a file; `tensors` and `keys` are the numbers that it says there are."""
    counts = (len(infos) if tensors < 0 else tensors, len(pairs) if keys < 0 else keys)
    head = b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join([*pairs, *infos])
    return head + bytes(-len(head) % alignment if infos else 0) + data


def of_alignment(value: int, kind: int = UINT32) -> bytes:
    return gguf(info(b"w"), pairs=[pair(ALIGNMENT, kind, struct.pack("<I", value))])


def of_sizes(*sizes: int, kind: int = F32) -> bytes:
    return gguf(info(b"w", sizes, kind))


def one(value: bytes, kind: int) -> bytes:
    return gguf(pairs=[pair(b"k", kind, value)], data=b"")


def _strings(folder: Path) -> Path:
    """Make a file with a list of a million empty strings."""
    path = folder / "E10.gguf"
    pairs = [pair(b"t.tokens", ARRAY, array(STRING, 10**6, bytes(8 * 10**6)))]
    path.write_bytes(gguf(info(b"w"), pairs=pairs))
    return path


def _long_header(folder: Path) -> Path:
    """Make a file whose header takes more than 25 MB."""
    path = folder / "E11.gguf"
    pairs = [pair(b"k%d" % place, STRING, string(bytes(1 << 20))) for place in range(26)]
    path.write_bytes(gguf(info(b"w"), pairs=pairs))
    return path


def _long_list(folder: Path) -> Path:
    """Make a file with a list of numbers that takes more than 25 MB."""
    path = folder / "E11-list.gguf"
    pairs = [pair(b"k", ARRAY, array(FLOAT64, 1 << 22, bytes(8 << 22)))]
    path.write_bytes(gguf(info(b"w"), pairs=pairs))
    return path


def vocabulary(folder: Path) -> Path:
    """Make a file with the vocabulary of a large model: four lists of 256,000."""
    path = folder / "vocabulary.gguf"
    count = 256_000
    lists = {
        b"tokens": array(STRING, count, b"".join(string(b"token%d" % n) for n in range(count))),
        b"scores": array(FLOAT32, count, struct.pack(f"<{count}f", *range(count))),
        b"token_type": array(INT32, count, struct.pack("<i", 1) * count),
        b"merges": array(STRING, count, string(b"to ken") * count),
    }
    pairs = [pair(b"tokenizer.ggml." + key, ARRAY, value) for key, value in lists.items()]
    path.write_bytes(gguf(info(b"w"), pairs=pairs))
    return path


TWO = [info(b"a", offset=0), info(b"b", offset=32)]
PART = [
    pair(b"split.no", 2, struct.pack("<H", 1)),
    pair(b"split.count", 2, struct.pack("<H", 2)),
]
NO_POWER = "general.alignment is no power of two"
NO_UINT32 = "general.alignment is of the type"
TRUNCATED = "truncated: the header needs"

REFUSED = [
    Row("E01-magic", b"GGML" + gguf(info(b"w"))[4:], 3, "in no format that paramctl reads"),
    Row("E01-four", b"GGUF", 3, TRUNCATED),
    Row("E01-cut", gguf(info(b"w" * 9))[:56], 3, TRUNCATED),
    *(Row(f"E02-{version}", gguf(info(b"w"), version=version), 3, f"GGUF version {version}: only")
      for version in (0, 1, 4, 0x01000000)),
    Row("E04-keys", gguf(keys=HUGE), 3, "pairs of metadata is 18446744073709551615: there"),
    Row("E04-tensors", gguf(tensors=HUGE), 3, "number of tensors is 18446744073709551615: there"),
    Row("E04-fewer", gguf(info(b"w"), tensors=2), 3, "truncated"),
    Row("E04-pairs", gguf(keys=100_001, data=bytes(2_000_000)), 5, "over the limit of 100000"),
    Row("E05-key", gguf(pairs=[pair(b"k", UINT8, b"\0", HUGE)]), 3, TRUNCATED),
    Row("E05-string", one(string(b"", 2**40), STRING), 3, TRUNCATED),
    Row("E05-item", one(array(STRING, 2, string(b"a") + string(b"", HUGE)), ARRAY), 3, TRUNCATED),
    Row("E05-items", one(array(STRING, 3, string(b"", 2**40) + bytes(99)), ARRAY), 3, TRUNCATED),
    Row("E05-name", gguf(string(b"", HUGE), data=bytes(99)), 3, TRUNCATED),
    Row("E06", gguf(pairs=[pair(b"", UINT8, b"\0")], data=bytes(9)), 3, "an empty key (offset 32)"),
    Row("E07-twice", gguf(pairs=[pair(b"k", UINT8, b"\0")] * 2), 3, "has the key 'k' twice"),
    Row("E07-type", one(bytes(8), 13), 3, "'k' is of the unknown type 13"),
    Row("E07-types", one(array(99, 0), ARRAY), 3, "'k' is of the unknown type 99"),
    Row("E07-bool", one(b"\2", BOOL), 3, "'k' is neither true nor false"),
    Row("E07-bools", one(array(BOOL, 3, b"\0\1\xff"), ARRAY), 3, "'k' is neither true nor false"),
    Row("E07-key", gguf(pairs=[pair(b"k\xff", UINT8, b"\0")]), 3, "metadata is not UTF-8"),
    Row("E08-2^60", one(array(UINT8, 2**60), ARRAY), 3, "is 1152921504606846976: there are"),
    Row("E08-2^22", one(array(UINT8, 2**22), ARRAY), 3, "items of 'k' is 4194304: there"),
    Row("E08-strings", one(array(STRING, 2**22, bytes(99)), ARRAY), 3, "4194304: there are only"),
    Row("E08-items", one(array(UINT8, 2**22 + 1, bytes(2**22 + 1)), ARRAY), 5, "'k' has 4194305"),
    Row("E09", one(array(ARRAY, 1) * 2000, ARRAY), 3, "'k' is a list of lists"),
    Row("E11-list", _long_list, 5, "--max-header-bytes"),
    Row("E11", _long_header, 5, "--max-header-bytes"),
    Row("E12-0", of_alignment(0), 3, f"{NO_POWER}: 0"),
    Row("E12-13", of_alignment(13), 3, f"{NO_POWER}: 13"),
    Row("E12-2^31", of_alignment(2**31), 3, "truncated: the tensors end at 2147483656"),
    Row("E12-int32", of_alignment(32, INT32), 3, f"{NO_UINT32} 5, not of 4"),
    Row("E12-text", gguf(info(b"w"), pairs=[pair(ALIGNMENT, STRING, string(b"32"))]), 3, NO_UINT32),
    Row("E12-bool", gguf(info(b"w"), pairs=[pair(ALIGNMENT, BOOL, b"\1")]), 3, NO_UINT32),
    Row("E13-all", gguf(info(b"w", dims=2**32 - 1)), 3, "has 4294967295 dimensions, over 4"),
    Row("E13-5", of_sizes(1, 1, 1, 1, 2), 3, "has 5 dimensions, over 4"),
    Row("E14-2^64", of_sizes(2**32, 2**32), 3, "truncated: the tensors end at"),
    Row("E14-2^63", of_sizes(2**63, 2), 3, "a dimension of 9223372036854775808, over 2^63 - 1"),
    Row("E14-negative", of_sizes(-1), 3, "a dimension of 18446744073709551615"),
    Row("E14-none", of_sizes(0, -1), 3, "a dimension of 18446744073709551615"),
    Row("E16-200", of_sizes(2, kind=200), 3, "tensor 'w' is of the unknown type 200"),
    Row("E16-4", of_sizes(2, kind=4), 3, "unknown type 4, Q4_2, which ggml has given up"),
    Row("E16-5", of_sizes(2, kind=5), 3, "unknown type 5, Q4_3, which ggml has given up"),
    Row("E17", gguf(info(b"w", (33,), Q4_0), data=bytes(36)), 3, "its rows are no blocks of 32"),
    Row("E17-rows", gguf(info(b"w", (16, 2), Q4_0), data=bytes(18)), 3, "'w' [2, 16]: its rows"),
    Row("E17-scalar", gguf(info(b"w", (), Q4_K), data=bytes(144)), 3, "no blocks of 256"),
    Row("E18-past", gguf(info(b"w", (3,))), 3, "truncated: the tensors end at 76, the file at 72"),
    Row("E18-unaligned", gguf(info(b"w", offset=3), data=bytes(99)), 3, "leaves a hole: it begins"),
    Row("E18-overlap", gguf(TWO[0], info(b"b")), 3, "'b' overlaps the one before: it begins at 0"),
    Row("E18-close", gguf(TWO[0], info(b"b", offset=8), data=bytes(64)), 3, "at 8, not at 32"),
    Row("E18-gap", gguf(TWO[0], info(b"b", offset=64), data=bytes(99)), 3, "at 64, not at 32"),
    Row("E18-far", gguf(info(b"w", offset=HUGE)), 3, "begins at 18446744073709551615, not at 0"),
    Row("E18-order", gguf(*TWO[::-1], data=bytes(40)), 3, "'b' leaves a hole"),
    Row("E19-twice", gguf(info(b"a"), info(b"a", offset=32), data=bytes(40)), 3, "listed twice"),
    Row("E20-quarter", of_sizes(HUGE // 4 // 2 * 2), 3, "truncated: the tensors end at"),
    Row("E20-two", gguf(info(b"a", (0x7FFFFFFFFFFFFFC0,), I8),
                        info(b"b", (0x7FFFFFFFFFFFFFC0,), I8, 0x7FFFFFFFFFFFFFC0)),
        3, "truncated: the tensors end at"),
    Row("E21-long", gguf(info(b"n" * 64)), 3, "has more than 63 bytes"),
    Row("E21-bytes", gguf(info("é".encode() * 32)), 3, "has more than 63 bytes"),
    Row("E21-utf8", gguf(info(b"\xff\xfe")), 3, "a tensor's name is not UTF-8: byte 0xff"),
    Row("E23-zip", gguf(info(b"w")) + b"PK\5\6" + bytes(18), 3, "both a gguf file and a zip"),
    Row("E25-name", gguf(info(b"w"), pairs=PART), 3, "part 2 of 2, whose name does not say so"),
    Row("E25-count", gguf(pairs=[pair(b"split.count", 2, b"\xff\xff")]), 5, "one of 65535 parts"),
    Row("E25-text", gguf(pairs=[pair(b"split.count", STRING, string(b"2"))]), 3, "is no number: 2"),
]  # fmt: skip

COMPLAINED = [
    Row("E22", gguf(info(b"w"), data=bytes(40)), 3, "8 bytes after the last tensor"),
    Row("E22-none", gguf(data=b"x" * 40), 3, "32 bytes after the last tensor"),
]
"""What is listed, and is no sound file."""

LISTED = [
    Row("E10", _strings, 0, "w\t[2]\tfloat32"),
    Row("E21-escape", gguf(info(b"a\x1b]0;x\x07[/]")), 0, "a\\x1b]0;x\\x07[/]\t[2]"),
    Row("E21-63", gguf(info(b"n" * 63)), 0, "\t[2]\tfloat32"),
    Row("E21-nameless", gguf(info(b"")), 0, "\t[2]\tfloat32\t2\t8"),
    Row("E12-2^12", of_alignment(4096)[:96] + bytes(4000) + bytes(8), 0, "w\t[2]\tfloat32"),
    Row("E14-empty", gguf(info(b"w", (0, 5)), data=b""), 0, "w\t[5, 0]\tfloat32\t0\t0"),
    Row("E18-padded", gguf(info(b"w"), data=bytes(32)), 0, "w\t[2]\tfloat32"),
    Row("E18-scalar", gguf(info(b"w", ()), data=bytes(4)), 0, "w\t[]\tfloat32\t1\t4"),
    Row("E26-none", gguf(data=b""), 0, ""),
]
TEMPLATE = b"{% for m in messages %}\x1b[31m[bold]\xff" + b"x" * 10_000_000
TEXTS = gguf(info(b"w"), pairs=[pair(b"general.name", STRING, string(b"\x1b[31m[bold]")),
                                pair(b"tokenizer.chat_template", STRING, string(TEMPLATE))],
             )  # fmt: skip
"""E24: metadata that is long, and that would steer a terminal."""
