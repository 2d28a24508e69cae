"""Section F of the hostile inputs: numpy's files, made by hand where numpy would not."""

import io
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from hostile import Row
from zip_bytes import DEFLATED, change_both, deflated_zeros, make_zip

PLAIN = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"


def npy(
    header: str = PLAIN, data: bytes = bytes(8), *, version: int = 1, length: int = -1
) -> bytes:
    """Return a file of this header, which says that it has another `length`."""
    text = header.encode()
    size = struct.pack("<H" if version == 1 else "<I", len(text) if length < 0 else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + data


def of_shape(shape: str) -> bytes:
    return npy(PLAIN.replace("(2,)", shape))


def of_type(descr: str) -> bytes:
    return npy(PLAIN.replace("'<f4'", descr))


def npz(arrays: Mapping[str, bytes], method: int = DEFLATED) -> bytes:
    return make_zip({f"{name}.npy": data for name, data in arrays.items()}, method)


def pickled() -> bytes:
    """Return what numpy writes of an array of Python objects."""
    file = io.BytesIO()
    np.save(file, np.array([None, {}], object), allow_pickle=True)
    return file.getvalue()


NO_DICTIONARY = "the .npy header is no dictionary of descr, fortran_order and shape"
NO_SIZES = "is no tuple of sizes"

REFUSED = [
    Row("F01-magic", b"\x93NUMPY", 3, "a .npy file of the unknown version"),
    Row("F01-version", npy(version=9), 3, "a .npy file of the unknown version 9.0"),
    Row("F01-version-0", npy(version=0), 3, "unknown version 0.0"),
    Row("F01-65535", npy(length=65535), 3, "the .npy header of 65535 bytes is cut short"),
    Row("F01-4GB", npy(version=2, length=0xFFFFFFFF), 3, "header of 4294967295 bytes is cut short"),
    Row("F01-nothing", b"\x93NUMPY\1\0", 3, "the .npy header of 0 bytes is cut short"),
    Row("F01-long", npy(" " * 70_000, version=2), 5, "a .npy header of 70000 bytes, over 65536"),
    Row("F02-list", npy("['<f4', False, (2,)]"), 3, NO_DICTIONARY),
    Row("F02-empty", npy(""), 3, NO_DICTIONARY),
    Row("F02-missing", npy("{'descr': '<f4', 'shape': (2,)}"), 3, NO_DICTIONARY),
    Row("F02-extra", npy(PLAIN[:-1] + "'x': 1}"), 3, "'x' is unknown, or there twice"),
    Row("F02-twice", npy(PLAIN[:-1] + "'descr': '<f8'}"), 3, "'descr' is unknown, or there twice"),
    Row("F02-code", npy("__import__('os')"), 3, NO_DICTIONARY),
    Row("F02-code-in-it", of_shape("(__import__('os').getpid(),)"), 3, NO_DICTIONARY),
    Row("F02-behind", npy(PLAIN + "; 1"), 3, NO_DICTIONARY),
    Row("F02-order", npy(PLAIN.replace("False", "0")), 3, "neither True nor False"),
    Row("F02-nested", npy("{" * 60_000), 3, NO_DICTIONARY),
    Row("F02-control", npy(PLAIN.replace("descr", "descr\x1b[31m")), 3, NO_DICTIONARY),
    Row("F04-terabytes", of_shape("(1099511627776,)"), 3, "takes 4398046511104 bytes"),
    Row("F04-2^62", of_shape(f"({1 << 62},)"), 3, "behind its header are 8"),
    Row("F04-2^80", of_shape(f"({1 << 40}, {1 << 40})"), 3, "behind its header are 8"),
    Row("F04-2^64", npy(PLAIN.replace("(2,)", f"({1 << 64}, 0)"), b""), 3, NO_SIZES),
    Row("F04-digits", of_shape(f"({'9' * 5000},)"), 3, NO_SIZES),
    *(Row(f"F04-{shape}", of_shape(shape), 3, NO_SIZES)
      for shape in ("(-1,)", "(True,)", "(1.0,)", "(2)", "(1 2,)", "(,)", "(0x2,)")),
    Row("F04-dimensions", of_shape(f"({(1 << 63) - 1}{f', {(1 << 63) - 1}' * 299})"), 3,
        "an array of 300 dimensions, over 64"),
    Row("F04-number", of_shape("2"), 3, NO_SIZES),
    Row("F05-object", of_type("'|O'"), 4, "an array of Python objects"),
    Row("F05-quoted", of_type('"|O8"'), 4, "an array of Python objects"),
    Row("F05-field", of_type("[('a', '<f4'), ('b', '|O')]"), 4, "an array of Python objects"),
    Row("F05-numpy", pickled(), 4, "which would have to be unpickled"),
    Row("F06-fields", of_type("[('O', '<f4')]"), 3, "an array that no tensor holds"),
    *(Row(f"F06-{kind}", of_type(f"'{kind}'"), 3, f"an array that no tensor holds: '{kind}'")
      for kind in ("zz", "<M8", "<M8[ns]", "|V0", ">V2", "<V1", "<f1", "<V4", "<U1000000000", "|f4",
                   "f4", "=f4", "<f16", "", "<f4,<f4")),
    Row("F06-float8", of_type("'<V1'"), 3, "its type is not told: save it as float32"),
    Row("F06-texts", npz({"a": npy(), "b": of_type("'<U1000000000'")}), 3,
        "takes 8000000000 bytes, behind its header are 8 (zip member 'b.npy')"),
    Row("F06-order", npz({"a": of_type("'<S4'")}), 3, "an array that no tensor holds: '<S4' (zip"),
    Row("F06-dates", npz({"a": of_type("'<M8[D]'")}), 3, "'a.npy'); save it as numbers"),
    Row("F07-short", npy(data=bytes(7)), 3, "takes 8 bytes, behind its header are 7"),
    Row("F07-long", npy(data=bytes(9)), 3, "takes 8 bytes, behind its header are 9"),
    Row("F07-zip", npy() + make_zip({"a.npy": npy()}), 3, "both a npy file and a zip archive"),
    Row("F09-twice", make_zip([("a.npy", npy()), ("a.npy", npy())]), 3, "two zip members"),
    Row("F09-comment", b"PK\5\6" + bytes(16) + b"\1\0x", 3, "with bytes behind it: no end record"),
    Row("F09-other", make_zip({"a.npy": npy(), "x.txt": b""}), 3, "'x.txt' is no .npy file"),
    Row("F09-torch", make_zip({"a.npy": npy(), "archive/data.pkl": b"}."}), 3, "data.pkl' is no"),
    Row("F09-object", npz({"a": npy(), "b": pickled()}), 4,
        "(zip member 'b.npy'); save it as numbers or texts"),
    Row("F09-empty", npz({"a": b""}), 3, "no .npy file: it does not begin as one (zip member"),
    Row("F09-lie", npz({"a": of_shape("(9,)")}), 3, "takes 36 bytes, behind its header are 8"),
]  # fmt: skip


def _bomb(folder: Path) -> Path:
    """Make an archive of 1 MB whose array inflates to 1 GiB."""
    head = of_shape(f"({1 << 28},)")[:-8]
    packed, crc = deflated_zeros(1 << 30, head)
    path = folder / "F09.npz"
    size = len(head) + (1 << 30)
    data = make_zip({"w.npy": packed})
    path.write_bytes(change_both(data, "w.npy", method=8, size=size, crc=crc))
    return path


LISTED = [
    Row("F09-bomb", _bomb, 0, "w\t[268435456]\tfloat32\t268435456\t1073741824"),
    Row("F09-path", npz({"../x": npy(), "/y": npy()}), 0, "../x\t[2]\tfloat32"),
    Row("F09-escape", npz({"a\x1b]0;x\x07": npy()}), 0, "a\\x1b]0;x\\x07\t[2]"),
    Row("F09-nothing", b"PK\5\6" + bytes(18), 0, ""),
    Row("F09-nameless", npz({"": npy()}), 0, "\t[2]\tfloat32"),
    Row("F02-order-of-keys", npy("{'shape': (2,), 'descr': '<f4', 'fortran_order': False}"), 0,
        "array\t[2]\tfloat32"),
    Row("F02-other-writers", npy('{"descr":"<f4","fortran_order":True,"shape":(2L,)}\n'), 0,
        "array\t[2]\tfloat32"),
]  # fmt: skip
