"""The header of a GGUF file: what it says of the model, and where each tensor lies.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; what that leaves open is as in
ggml/src/gguf.cpp.
"""

from collections.abc import Iterable, Iterator
from math import prod
from typing import Any, NamedTuple

from paramctl.dtypes import BY_GGML, DType
from paramctl.errors import AGAIN, MalformedError
from paramctl.formats.gguf.cursor import Cursor
from paramctl.formats.gguf.metadata import ALIGNMENT, read_metadata
from paramctl.sources import Source

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
MIN_TENSOR = 24  # bytes: without a name and without dimensions
MAX_NAME = 63  # bytes: ggml has 64, with the NUL behind it
MAX_DIMENSIONS, MAX_SIZE = 4, 2**63 - 1
REMOVED = {
    4: "Q4_2",
    5: "Q4_3",
    31: "Q4_0_4_4",
    32: "Q4_0_4_8",
    33: "Q4_0_8_8",
    36: "IQ4_NL_4_4",
    37: "IQ4_NL_4_8",
    38: "IQ4_NL_8_8",
}


class Tensor(NamedTuple):
    """A tensor's name, type, shape in numpy's order, and offset behind the header."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    offset: int

    @property
    def nbytes(self) -> int:
        """The bytes that its values take."""
        return self.dtype.nbytes(prod(self.shape))


class Header(NamedTuple):
    """What a header says.

    `start` is where the tensors' bytes begin, `excess` how many are behind the last one's padding.
    """

    metadata: dict[str, Any]
    tensors: tuple[Tensor, ...]
    start: int
    excess: int
    big_endian: bool


def read_header(source: Source, limit: int) -> Header:
    """Read a header of at most `limit` bytes; no byte of a tensor is needed.

    Raises:
        MalformedError: it breaks a rule of the format, or the file is truncated.
        LimitError: it is longer, or holds too much.
    """
    cursor = Cursor(source, limit)
    if cursor.take(len(MAGIC)) != MAGIC:
        raise MalformedError("no GGUF file: it does not begin as one")
    cursor.order = _order(cursor.take(4))
    tensor_count, pair_count = cursor.numbers("QQ")
    metadata = read_metadata(cursor, pair_count)
    alignment = _alignment(metadata)
    tensors = tuple(_read_tensors(cursor, tensor_count))
    start = _align(cursor.position, alignment)
    end = start + _measure(tensors, alignment)
    if tensors and end > source.size:
        what = f"truncated: the tensors end at {end}, the file at {source.size}"
        raise MalformedError(what, hint=AGAIN)
    excess = max(source.size - _align(end, alignment), 0)
    return Header(metadata, tensors, start, excess, cursor.order == ">")


def _order(version: bytes) -> str:
    """Return the byte order in which the version is one that is read."""
    little, big = (int.from_bytes(version, "little"), int.from_bytes(version, "big"))
    if little in VERSIONS:
        return "<"
    if big in VERSIONS:
        return ">"
    raise MalformedError(f"GGUF version {little}: only 2 and 3 are read")


def _alignment(metadata: dict[str, Any]) -> int:
    alignment: int = metadata.get(ALIGNMENT, DEFAULT_ALIGNMENT)
    if alignment < 1 or alignment & (alignment - 1):
        raise MalformedError(f"{ALIGNMENT} is no power of two: {alignment}")
    return alignment


def _read_tensors(cursor: Cursor, count: int) -> Iterator[Tensor]:
    cursor.check_count(count, MIN_TENSOR, "tensors")
    names: set[str] = set()
    for _ in range(count):
        name = cursor.string("a tensor's name")
        if len(name.encode()) > MAX_NAME:
            raise cursor.error(f"the tensor's name '{name}' has more than {MAX_NAME} bytes")
        if name in names:
            raise cursor.error(f"tensor '{name}' is listed twice")
        names.add(name)
        yield _read_tensor(cursor, name)


def _read_tensor(cursor: Cursor, name: str) -> Tensor:
    dimensions = cursor.number("I")
    if dimensions > MAX_DIMENSIONS:
        raise cursor.error(f"tensor '{name}' has {dimensions} dimensions, over {MAX_DIMENSIONS}")
    sizes = cursor.numbers("Q" * dimensions)
    number, offset = cursor.numbers("IQ")
    dtype = BY_GGML.get(number)
    if dtype is None:
        removed = f", {REMOVED[number]}, which ggml has given up" if number in REMOVED else ""
        raise cursor.error(f"tensor '{name}' is of the unknown type {number}{removed}")
    if max(sizes, default=0) > MAX_SIZE:
        raise cursor.error(f"tensor '{name}' has a dimension of {max(sizes)}, over 2^63 - 1")
    if (sizes[0] if sizes else 1) % dtype.block:
        raise cursor.error(
            f"tensor '{name}' {list(sizes[::-1])}: its rows are no blocks of {dtype.block}, "
            f"as {dtype.name} demands"
        )
    return Tensor(name, dtype, sizes[::-1], offset)


def _measure(tensors: Iterable[Tensor], alignment: int) -> int:
    """Return how many bytes tensors take: each must begin where the one before and its padding end.

    There may be no padding behind the last.
    """
    end = 0
    for tensor in tensors:
        place = _align(end, alignment)
        if tensor.offset != place:
            what = "overlaps the one before" if tensor.offset < place else "leaves a hole"
            raise MalformedError(
                f"tensor '{tensor.name}' {what}: it begins at {tensor.offset}, not at {place}"
            )
        end = place + tensor.nbytes
    return end


def _align(position: int, alignment: int) -> int:
    return -(-position // alignment) * alignment
