"""Section A of the hostile inputs: safetensors files, byte for byte."""

import json
import struct
from pathlib import Path

from hostile import Row


def header(text: bytes | str, data: bytes = b"") -> bytes:
    """Put the length before a header and data behind it."""
    encoded = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(encoded)) + encoded + data


def tensor(dtype: str, shape: str, begin: object, end: object) -> str:
    """Write one entry; the shape as it is to stand there."""
    return f'{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{begin},{end}]}}'


def one(entry: str, data: bytes = bytes(4), name: str = '"w"') -> bytes:
    """Write a file of one tensor."""
    return header(f"{{{name}:{entry}}}", data)


def _long_header(folder: Path) -> Path:
    """Make a sparse file whose header claims the longest length that the format allows."""
    path = folder / "A06.model"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 100_000_000) + b"{")
        file.truncate(8 + 100_000_000)
    return path


F32 = tensor("F32", "[1]", 0, 4)
TWO = bytes(8)

REFUSED = [
    Row("A01", b"", 3, "file is empty"),
    Row("A02", bytes(7), 3, "too short for a header length: 7 bytes of 8"),
    Row("A04", struct.pack("<Q", 2**64 - 1) + b"{}", 3, "18446744073709551615 is over"),
    Row("A05", struct.pack("<Q", 100_000_001) + b"{}", 3, "100000001 is over"),
    Row("A06", _long_header, 5, "over the limit of 25000000"),
    Row("A07", struct.pack("<Q", 100) + b"{}", 3, "truncated: the header needs 100 bytes"),
    Row("A08", header(b'{"\xff":1}'), 3, "not UTF-8: byte 0xff (offset 2)"),
    Row("A09", header(b"\xef\xbb\xbf{}"), 3, "does not start with '{'"),
    Row("A09-utf16", header('{"w":1}'.encode("utf-16-le")), 3, "not valid JSON"),
    Row("A10-list", header("[]"), 3, "does not start with '{'"),
    Row("A10-null", header("null"), 3, "does not start with '{'"),
    Row("A10-number", header("1"), 3, "does not start with '{'"),
    Row("A12", one(f'{F32},"v":'), 3, "tensor 'v' is not an object"),
    Row("A12-comma", one(f"{F32},"), 3, "not valid JSON"),
    Row("A12-field", one('{"dtype":"F32","shape":[1],"data_offsets":[0,4],}'), 3, "not valid JSON"),
    Row("A13-x", header("{}x"), 3, "characters after the header's end"),
    Row("A13-twice", header("{}{}"), 3, "characters after the header's end"),
    Row("A14", header(b"{}\0\0"), 3, "characters after the header's end"),
    Row("A16", one(F32, name='"\x1b"'), 3, "not valid JSON"),
    Row("A18", one(F32, name=r'"\ud800"'), 3, "invalid escape"),
    Row("A18-escape", one(F32, name=r'"\x"'), 3, "invalid escape"),
    Row("A24", header(rf'{{"a":{F32},"\u0061":{F32}}}', bytes(4)), 3, "'a' is listed twice"),
    Row("A25", header(f'{{"a":{F32},"a":{tensor("F32", "[1]", 4, 8)}}}', TWO), 3, "listed twice"),
    Row("A26", one('{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}'), 3, "twice"),
    Row("A26-three", one('{"dtype":"F32","dtype":"F32","shape":[1]}'), 3, "has no data_offsets"),
    Row("A28", header('{"__metadata__":{"k":"1","k":"2"}}'), 3, "holds the key 'k' twice"),
    Row("A28-twice", header('{"__metadata__":{},"__metadata__":{}}'), 3, "given twice"),
    Row("A29-number", header('{"__metadata__":{"k":1}}'), 3, "not a list of strings by name"),
    Row("A29-object", header('{"__metadata__":{"k":{}}}'), 3, "not a list of strings by name"),
    Row("A29-list", header('{"__metadata__":[]}'), 3, "__metadata__ is not an object"),
    Row("A29-open", header('{"__metadata__":{"k":"v"}'), 3, "ends inside __metadata__"),
    Row("A31-tensor", header(f'{{"__metadata__":{F32}}}', bytes(4)), 3, "not a list of strings"),
    Row("A32-shape", one('{"dtype":"F32","data_offsets":[0,4]}'), 3, "has no shape"),
    Row("A32-dtype", one('{"shape":[1],"data_offsets":[0,4]}'), 3, "has no dtype"),
    Row("A32-offsets", one('{"dtype":"F32","shape":[1]}'), 3, "has no data_offsets"),
    Row("A32-empty", one("{}"), 3, "has no dtype, shape, data_offsets"),
    Row("A33", one(F32[:-1] + ',"zz":[1,2]}'), 3, "unknown field 'zz'"),
    *(
        Row(f"A34-{place}", one(tensor("F32", shape, 0, 4)), 3, "shape is not a list of at most 64")
        for place, shape in enumerate(("[-1]", "[1.0]", "[1e0]", "[true]", '["1"]', "1", "[01]"))
    ),
    Row("A36", one(tensor("F32", f"[0,{2**63},{2**63}]", 0, 0), b""), 3, "over 2^48 - 1"),
    Row("A37", one(tensor("F32", f"[{2**63},{2**63},0]", 0, 0), b""), 3, "over 2^48 - 1"),
    Row("A38", one(tensor("F32", f"[{'9' * 400}]", 0, 4)), 3, "shape is not a list"),
    Row("A40-small", one(tensor("U8", f"[{'1,' * 300_000}1]", 0, 1), b"0"), 3, "at most 64"),
    Row("A41-one", one('{"dtype":"F32","shape":[1],"data_offsets":[4]}'), 3, "not two whole"),
    Row("A41-three", one('{"dtype":"F32","shape":[1],"data_offsets":[0,2,4]}'), 3, "not two whole"),
    Row("A41-negative", one(tensor("F32", "[1]", -4, 0)), 3, "not two whole numbers"),
    Row("A41-string", one(tensor("F32", "[1]", 0, '"4"')), 3, "not two whole numbers"),
    Row("A41-reversed", one(tensor("F32", "[1]", 4, 0)), 3, "leaves a hole before it"),
    Row("A41-short", one(tensor("F32", "[0]", 4, 0), b""), 3, "leaves a hole"),
    Row("A42", one(tensor("F32", "[1]", 4, 8), TWO), 3, "leaves a hole before it"),
    Row("A43", header(f'{{"w":{F32}}}', bytes(5)), 3, "1 bytes after the last tensor"),
    Row("A44", header(f'{{"a":{F32},"b":{F32}}}', bytes(4)), 3, "overlaps another tensor"),
    Row("A45", header(f'{{"a":{F32},"b":{tensor("F32", "[1]", 2, 6)}}}', TWO), 3, "overlaps"),
    Row("A46", one(F32, bytes(3)), 3, "truncated: the tensors need 4 bytes, there are 3"),
    Row("A47", one(tensor("X32", "[1]", 0, 4)), 3, "unknown dtype 'X32'"),
    Row("A47-lower", one(tensor("f32", "[1]", 0, 4)), 3, "dtype is not the name of a dtype"),
    Row("A48", one(tensor("F32", "[2]", 0, 4)), 3, "takes 8 bytes"),
    Row("A49", one(tensor("F4", "[3]", 0, 2), bytes(2)), 3, "does not fill whole bytes"),
    Row("A53-list", one("[" * 200 + "]" * 200), 3, "tensor 'w' is not an object"),
    Row("A53-deep", one("[" * 100_000 + "]" * 100_000), 3, "tensor 'w' is not an object"),
    Row("A53-object", header('{"w":' * 100_000), 3, "unknown field 'w'"),
    Row("A54-small", one('{"dtype":' + "[]," * 300_000 + "}"), 3, "dtype is not the name"),
    Row("A60-html", b"<!DOCTYPE html><html></html>", 3, "a web page"),
    Row(
        "A60-lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", 3, "git lfs pull"
    ),
    Row("A60-pickle", b"\x80\x02}q\x00.", 3, "a pickle, but not a torch checkpoint"),
    Row("A60-gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\0\0\0", 3, "a gzip file"),
    Row("A60-text", b"hello, this is no model at all\n", 3, "in no format that paramctl reads"),
    Row("A60-name", one(F32, name='"' + r"\u001b]0;x\u0007" + '"', data=b""), 3, "truncated"),
]

LISTED = {
    "A17": (one(F32, name=r'"\u001b]0;x\u0007"'), "\\x1b]0;x\\x07"),
    "A20": (one(F32, name=r'"a\u0000b"'), "a\\x00b"),
    "A21": (one(F32, name='"a\u202eb\u2066c"'), "a\\u202eb\\u2066c"),
    "A22": (one(F32, name=f'"{"n" * 6_000_000}"'), "...(6000000 characters)"),
    "A22-tab": (one(F32, name=r'"a\tb\nc"'), "a\\tb\\nc"),
    "A22-markup": (one(F32, name='"a[/]b[bold]c[link=x]d"'), "a[/]b[bold]c[link=x]d"),
    "A22-dots": (one(F32, name=f'"{"a." * 450_000}a"'), "a.a.a.a"),
    "A23": (one(F32, name='""'), "\t[1]\tfloat32"),
    "A30": (header(f'{{"__metadata__":null,"w":{F32}}}', bytes(4)), "w\t[1]"),
    "A50": (
        header(f'{{"b":{tensor("U8", "[1]", 0, 1)},"w":{tensor("F64", "[1]", 1, 9)}}}', bytes(9)),
        "w\t[1]\tfloat64",
    ),
    "A52": (one(tensor("F32", "[]", 0, 4)), "w\t[]\tfloat32\t1"),
    "A55": (header(" " * 0 + "{}" + " " * 30), ""),
    "A55-spaces": (
        header(f'{{ "w" :\n{json.dumps(json.loads(F32), indent=1)}\t}} ', bytes(4)),
        "w\t",
    ),
}
