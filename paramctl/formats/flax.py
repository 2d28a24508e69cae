"""Flax's msgpack files: nested maps of arrays, as `flax.serialization.to_bytes` writes them.

An array is an extension that holds its shape, the name of its dtype and its bytes; of more than
2^30 bytes it is cut into chunks. Source: flax/serialization.py of flax 0.12.
"""

from math import prod
from typing import Any, TypeGuard

from paramctl.checkpoint import Checkpoint, Entry, ReadOptions, Storage
from paramctl.dtypes import BY_NAME, DType
from paramctl.errors import MalformedError
from paramctl.formats.joined import Joined
from paramctl.formats.msgpack import Binary, Reader
from paramctl.formats.pickles import Dict
from paramctl.formats.torch.file import grow_tree, list_tree
from paramctl.formats.torch.model import find_weights
from paramctl.sources import Source

ARRAY, COMPLEX, SCALAR = 1, 2, 3  # the codes of flax's extensions
CHUNKED = "__msgpack_chunked_array__"
MAX_DIMENSIONS = 64


def read(source: Source, options: ReadOptions) -> Checkpoint:
    """Read the maps; no byte of an array is touched.

    Raises:
        MalformedError: it is no msgpack, or not flax's.
        LimitError: it is nested too deeply, or has too many values.
    """
    root = _resolve(source, Reader(source, 0, source.size).read_all())
    checkpoint = Checkpoint(source.name, "flax msgpack", {})
    list_tree(checkpoint, grow_tree(root, source.size), options, find_weights)
    return checkpoint


def _resolve(source: Source, value: object) -> object:
    """Put arrays in the places of their bytes."""
    if isinstance(value, Binary):
        return _read_binary(source, value)
    if isinstance(value, list):
        return [_resolve(source, element) for element in value]
    if isinstance(value, Dict):
        value.pairs = [(key, _resolve(source, element)) for key, element in value.pairs]
        return _join(value.strings()) if CHUNKED in value.strings() else value
    return value


def _read_binary(source: Source, binary: Binary) -> object:
    if binary.code in (ARRAY, SCALAR):
        return _read_array(source, binary)
    if binary.code == COMPLEX:
        return _read_complex(source, binary)
    kind = "" if binary.code is None else f" of the extension {binary.code}"
    return f"{binary.nbytes} bytes{kind}"


def _inside(source: Source, binary: Binary, count: int) -> list[object]:
    """Return the list of `count` values that an extension holds."""
    values = Reader(source, binary.offset, binary.offset + binary.nbytes).read_all()
    if not isinstance(values, list) or len(values) != count:
        raise _wrong(binary, f"holds no list of {count}")
    return values


def _read_array(source: Source, binary: Binary) -> Entry:
    shape, name, data = _inside(source, binary, 3)
    dtype = BY_NAME.get(name) if isinstance(name, str) else None
    if dtype is None:
        raise _wrong(binary, f"is an array of the unknown type '{name}'")
    if not _is_shape(shape) or not isinstance(data, Binary) or data.code is not None:
        raise _wrong(binary, "is no shape, type and bytes of an array")
    return _entry(dtype, shape, Storage(source, data.offset, data.nbytes))


def _read_complex(source: Source, binary: Binary) -> str:
    real, imaginary = _inside(source, binary, 2)
    if not isinstance(real, float) or not isinstance(imaginary, float):
        raise _wrong(binary, "is no complex number")
    return str(complex(real, imaginary))


def _join(parts: dict[str, object]) -> Entry:
    """Return the array that is stored in chunks."""
    shape, chunks = (_in_order(parts.get(part)) for part in ("shape", "chunks"))
    if not _is_shape(shape) or not chunks:
        raise MalformedError(f"'{CHUNKED}' beside what is no shape and chunks")
    storages = []
    for chunk in chunks:
        if not isinstance(chunk, Entry) or not chunk.storage or chunk.dtype != chunks[0].dtype:
            raise MalformedError(f"'{CHUNKED}' beside chunks that are no arrays of one type")
        storages.append(chunk.storage)
    joined = Joined(storages[0].source.name, storages)
    return _entry(chunks[0].dtype, shape, Storage.whole(joined))


def _in_order(numbered: object) -> list[Any]:
    """Return the values of a map whose keys are 0, 1, 2, ..."""
    pairs = numbered.strings() if isinstance(numbered, Dict) else {"": None}
    if list(pairs) != [str(place) for place in range(len(pairs))]:
        raise MalformedError(f"'{CHUNKED}' beside keys that are no 0, 1, 2, ...")
    return list(pairs.values())


def _is_shape(shape: object) -> TypeGuard[list[int]]:
    return (
        isinstance(shape, list)
        and len(shape) <= MAX_DIMENSIONS
        and all(type(size) is int and size >= 0 for size in shape)
    )


def _entry(dtype: DType, shape: list[int], storage: Storage) -> Entry:
    if prod(shape) * dtype.bits != 8 * storage.nbytes:
        raise MalformedError(
            f"an array {dtype.name} {shape} in {storage.nbytes} bytes",
            where=f"offset {storage.offset}",
        )
    return Entry("", dtype, tuple(shape), storage)


def _wrong(binary: Binary, what: str) -> MalformedError:
    return MalformedError(f"an extension of msgpack {what}", where=f"offset {binary.offset}")
