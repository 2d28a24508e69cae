"""What a TensorProto says: name, type, shape, and where its values are.

Source: onnx/onnx.proto, `TensorProto`, and docs/ExternalData.md of ONNX 1.23.
"""

from math import prod
from typing import NamedTuple

from paramctl.dtypes import BY_NAME, DType
from paramctl.errors import LimitError, MalformedError, UnsafeError
from paramctl.formats.protobuf import BYTES, Field, Reader

DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
    17: "float8_e4m3fn",
    18: "float8_e4m3fnuz",
    19: "float8_e5m2",
    20: "float8_e5m2fnuz",
    21: "uint4x2",
    22: "int4x2",
    23: "float4_e2m1fn",
    24: "float8_e8m0fnu",
    25: "uint2x4",
    26: "int2x4",
    27: "float6_e2m3fn",
    28: "float6_e3m2fn",
}
STRING = 8  # the type of texts
DIMS, TYPE, SEGMENT, NAME, EXTERNAL, LOCATION = 1, 2, 3, 8, 13, 14
FLOATS, INT32S, TEXTS, INT64S, RAW, DOUBLES, UINT64S = 4, 5, 6, 7, 9, 10, 11
DATA = (FLOATS, INT32S, TEXTS, INT64S, RAW, DOUBLES, UINT64S)
OUTSIDE = 1  # the location of values that are in another file
MAX_DIMENSIONS = 64
MAX_NUMEL = 2**63 - 1


class Place(NamedTuple):
    """Values in a file beside the model; `length` is None where it is not said."""

    file: str
    offset: int
    length: int | None


class Proto(NamedTuple):
    """A tensor; `dtype` is None of texts, `data` the fields of its values, or the place of them."""

    name: str
    dtype: DType | None
    shape: tuple[int, ...]
    data: list[Field] | Place

    @property
    def numel(self) -> int:
        """The number of elements."""
        return prod(self.shape)


def read_proto(reader: Reader, field: Field) -> Proto:
    """Read a TensorProto, its values passed by.

    Raises:
        MalformedError: it breaks a rule of the format, or says a thing twice.
        UnsafeError: its values are in a file that is neither beside the model nor below it.
    """
    parts = _Parts(reader, field)
    name = reader.text(parts.once[NAME]) if NAME in parts.once else ""
    if SEGMENT in parts.once:
        raise MalformedError(f"'{name}' is a segment of a tensor, which ONNX does not allow yet")
    code = parts.number(TYPE)
    if code != STRING and code not in DTYPES:
        raise MalformedError(f"'{name}' is of the unknown type {code}", where=_at(field))
    dtype = None if code == STRING else BY_NAME[DTYPES[code]]
    is_outside = parts.number(LOCATION) == OUTSIDE
    if is_outside and parts.data:
        raise MalformedError(f"'{name}' has values both in the model and in another file")
    data = _read_place(name, parts.external) if is_outside else parts.data
    return Proto(name, dtype, check_shape(name, parts.sizes), data)


class _Parts:
    """The fields of a TensorProto; `once` are those that may be there but once."""

    def __init__(self, reader: Reader, field: Field) -> None:
        self.sizes: list[int] = []
        self.data: list[Field] = []
        self.external: dict[str, str] = {}
        self.once: dict[int, Field] = {}
        for part in reader.message(field):
            self._add(reader, part)

    def _add(self, reader: Reader, part: Field) -> None:
        if part.number == DIMS:
            add_sizes(self.sizes, reader, part)
        elif part.number in DATA:
            self.data += [part] if part.nbytes or part.wire != BYTES else []
        elif part.number == EXTERNAL:
            add_pair(self.external, reader, part)
        elif part.number in self.once:
            raise MalformedError(f"a tensor has field {part.number} twice", where=_at(part))
        elif part.number in (TYPE, SEGMENT, NAME, LOCATION):
            self.once[part.number] = part

    def number(self, number: int) -> int:
        """Return the number in a field, 0 where there is none."""
        return self.once[number].value if number in self.once else 0


def add_sizes(sizes: list[int], reader: Reader, field: Field) -> None:
    """Read the dimensions in a field, of which there may be several."""
    for size in reader.varints(field):
        sizes.append(size)
        if len(sizes) > MAX_DIMENSIONS:
            raise LimitError(f"a tensor of more than {MAX_DIMENSIONS} dimensions", where=_at(field))


def check_shape(name: str, sizes: list[int]) -> tuple[int, ...]:
    """Return a shape.

    Raises:
        MalformedError: it is none.
    """
    if any(size < 0 for size in sizes):
        raise MalformedError(f"'{name}' has the shape {sizes}")
    if prod(sizes) > MAX_NUMEL:
        raise MalformedError(f"'{name}' of shape {sizes} has more than 2^63 - 1 elements")
    return tuple(sizes)


def add_pair(pairs: dict[str, str], reader: Reader, field: Field) -> None:
    """Read a key and its text.

    Raises:
        MalformedError: the key was there before.
    """
    parts = {part.number: reader.text(part) for part in reader.message(field) if part.number <= 2}
    key = parts.get(1, "")
    if key in pairs:
        raise MalformedError(f"the key '{key}' is given twice", where=_at(field))
    pairs[key] = parts.get(2, "")


def _read_place(name: str, external: dict[str, str]) -> Place:
    file = external.get("location", "")
    if not file:
        raise MalformedError(f"'{name}' has its values in another file, and does not say in which")
    parts = [part for part in file.split("/") if part != "."]
    if not parts or {"", ".."} & {*parts} or "\\" in file or "\0" in file:
        raise UnsafeError(f"'{name}' is said to be in '{file}', not beside the model or below it")
    length = _number(name, external["length"]) if "length" in external else None
    return Place("/".join(parts), _number(name, external.get("offset", "0")), length)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise MalformedError(f"'{name}' is at no byte of another file: '{text}'")
    return int(text)


def _at(field: Field) -> str:
    return f"offset {field.offset}"
