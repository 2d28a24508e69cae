"""numpy's `.npy` files: a header that says what the array is, and its elements.

The header is a dictionary in Python's words, of which only those of arrays of numbers are known:
nothing is evaluated. Source: numpy/lib/_format_impl.py, "Format Version 1.0" to "3.0".
"""

import re
from math import prod
from typing import NamedTuple

from paramctl.checkpoint import Checkpoint, Entry, ReadOptions, Storage
from paramctl.dtypes import BY_NUMPY, DType
from paramctl.errors import LimitError, MalformedError, UnsafeError, blaming
from paramctl.inputs import open_path
from paramctl.slices import row_major
from paramctl.sources import Source

MAGIC = b"\x93NUMPY"
NAME = "array"  # of the one tensor of a file that is read as a checkpoint
LENGTHS = {b"\1\0": 2, b"\2\0": 4, b"\3\0": 4}  # version -> bytes of the header's length
MAX_HEADER = 1 << 16  # bytes: that of an array of numbers takes 128
MAX_DIMENSIONS = 64  # of an array of numpy's
MAX_SIZE = 2**63 - 1  # of a dimension
TEXT_UNITS = {"S": 1, "U": 4}  # bytes of a character

_WS = r"[ \t\n]*+"
_NUMBER = rf"[0-9]{{1,20}}L?{_WS}"  # Python 2 wrote an L behind
_FIELD = re.compile(
    rf"{_WS}'(\w+)'{_WS}:{_WS}('[^']*'|\w+|\([^()]*\)|\[.*\]){_WS}(?:,{_WS}|(?=\}}))"
)
_FIELDS = {"descr", "fortran_order", "shape"}
_SHAPE = re.compile(rf"\({_WS}(?:(?:{_NUMBER},{_WS})+(?:{_NUMBER})?)?\)")
_DESCR = re.compile(r"'([<>|])(\w+)'")
_NAMELESS = re.compile(r"'[<|](?:V|f)1'")  # what numpy writes of a dozen types of ml_dtypes
_TEXTS = re.compile(r"'(?:[<>](?=U)|\|(?=S))([US])(\d{1,10})'")
_OBJECT = re.compile(rf"(?:^|,{_WS})'[<>|=]?O\d*'")  # the type itself, or that of a field


class Header(NamedTuple):
    """What an array is, its type as it is written, and where its elements begin."""

    descr: str
    shape: tuple[int, ...]
    is_fortran: bool
    start: int


def read(source: Source, options: ReadOptions) -> Checkpoint:  # noqa: ARG001 (a reader's signature)
    """Read an array as a checkpoint of one tensor.

    Raises:
        MalformedError: it is no such file, or its size is not that of the array.
        UnsafeError: it holds Python objects.
    """
    return Checkpoint(source.name, "npy", {NAME: read_array(source, NAME)})


def read_npy(path: str) -> Entry:
    """Return the array in a `.npy` file; its elements are read when they are asked for.

    Raises:
        ParamctlError: as `read_array`, or the file cannot be opened.
    """
    with blaming(path):
        return read_array(open_path(path), path)


def read_array(source: Source, name: str) -> Entry:
    """Return the array that fills `source`, under this name; only its header is read.

    Raises:
        MalformedError: it is none, or its size is not that of the array.
        UnsafeError: it holds Python objects, which would have to be unpickled.
        LimitError: its header is longer than that of any array of numbers.
    """
    return to_entry(source, read_header(source), name)


def read_header(source: Source) -> Header:
    """Return what an array is.

    Raises:
        MalformedError: the header is no dictionary of the three fields, or they are no such values.
        LimitError: it is longer than that of any array of numbers.
    """
    text, start = _read_text(source)
    fields = _split_fields(text)
    if fields["fortran_order"] not in ("True", "False"):
        raise MalformedError("the .npy header's fortran_order is neither True nor False")
    shape = _shape(fields["shape"])
    return Header(fields["descr"], shape, fields["fortran_order"] == "True", start)


def to_entry(source: Source, header: Header, name: str) -> Entry:
    """Return an array of numbers under a name.

    Raises:
        MalformedError: it is of something else, or its size is not that of the array.
        UnsafeError: it holds Python objects.
    """
    element, big_endian = _element(header.descr)
    strides = row_major(header.shape[::-1])[::-1] if header.is_fortran else None
    storage = Storage(source, header.start, source.size - header.start, "", big_endian)
    entry = Entry(name, element, header.shape, storage, 0, strides)
    _check_size(header, source, entry.nbytes, element.name)
    return entry


def describe_texts(source: Source, header: Header) -> str:
    """Say what an array of texts is, `text [3]`, as that of an HDF5 file; "" if it is of others.

    Raises:
        MalformedError: its size is not that of the texts.
    """
    match = _TEXTS.fullmatch(header.descr)
    if not match:
        return ""
    nbytes = TEXT_UNITS[match[1]] * int(match[2]) * prod(header.shape)
    _check_size(header, source, nbytes, header.descr)
    return f"text {list(header.shape)}"


def _check_size(header: Header, source: Source, nbytes: int, kind: str) -> None:
    there = source.size - header.start
    if nbytes != there:
        what = f"an array {kind} {list(header.shape)} takes {nbytes} bytes"
        raise MalformedError(f"{what}, behind its header are {there}")


def _read_text(source: Source) -> tuple[str, int]:
    """Return a header's text, and where the elements begin."""
    head = source.read(0, min(source.size, 12))
    if not head.startswith(MAGIC):
        raise MalformedError("no .npy file: it does not begin as one")
    size = LENGTHS.get(head[6:8])
    if size is None:
        raise MalformedError(f"a .npy file of the unknown version {'.'.join(map(str, head[6:8]))}")
    start = 8 + size
    length = int.from_bytes(head[8:start], "little")
    if start + length > source.size:
        raise MalformedError(f"the .npy header of {length} bytes is cut short")
    if length > MAX_HEADER:
        raise LimitError(f"a .npy header of {length} bytes, over {MAX_HEADER}")
    return source.read(start, length).decode("latin-1"), start + length


def _split_fields(header: str) -> dict[str, str]:
    """Return the three fields of a header, each as it is written."""
    text = header.strip(" \n").replace('"', "'")
    fields: dict[str, str] = {}
    position = 1
    while field := _FIELD.match(text, position):
        if field[1] not in _FIELDS or field[1] in fields:
            raise MalformedError(f"the .npy header's '{field[1]}' is unknown, or there twice")
        fields[field[1]] = field[2]
        position = field.end()
    if fields.keys() != _FIELDS or text[:1] != "{" or text[position:] != "}":
        raise MalformedError("the .npy header is no dictionary of descr, fortran_order and shape")
    return fields


def _element(descr: str) -> tuple[DType, bool]:
    """Return the type of the elements, and whether their bytes are in big-endian order."""
    if _OBJECT.search(descr):
        what = "an array of Python objects, which would have to be unpickled"
        raise UnsafeError(what, hint="save it as numbers or texts")
    match = _DESCR.fullmatch(descr)
    order, kind = match.groups() if match else ("", "")
    element = BY_NUMPY.get(kind)
    if element is None or order not in _orders(element):
        is_nameless = _NAMELESS.fullmatch(descr)
        hint = "its type is not told: save it as float32" if is_nameless else "save it as numbers"
        raise MalformedError(f"an array that no tensor holds: {descr}", hint=hint)
    return element, order == ">"


def _orders(element: DType) -> str:
    """Return the marks of byte orders that a type may have; | is that of none."""
    if not element.numpy:
        return "<|"
    return "<>|" if element.bits == 8 else "<>"


def _shape(text: str) -> tuple[int, ...]:
    is_tuple = _SHAPE.fullmatch(text)
    sizes = tuple(map(int, re.findall("[0-9]+", text))) if is_tuple else ()
    if not is_tuple or max(sizes, default=0) > MAX_SIZE:
        raise MalformedError(f"the .npy header's shape is no tuple of sizes: {text}")
    if len(sizes) > MAX_DIMENSIONS:
        raise MalformedError(f"an array of {len(sizes)} dimensions, over {MAX_DIMENSIONS}")
    return sizes
