"""The bridge from stored bytes to numpy: byte order, strides, blocks, and as few reads as serve."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import accumulate
from math import prod
from sys import maxsize
from typing import Any

import numpy as np

from paramctl.checkpoint import ARRAYS, LAZY, Entry, Storage
from paramctl.doors import Spelling
from paramctl.dtypes import DType
from paramctl.errors import LimitError, UsageError
from paramctl.quantized import dequantized
from paramctl.slices import (
    check_extent,
    is_row_major,
    select,
    span_of,
    split,
    squeeze,
    strides_of,
)
from paramctl.widening import WIDENED, Array

BLOCK = 1 << 20  # bytes that are read at a time
STRIDED_BLOCK = 1 << 25  # the same where they are picked from many places: fewer, longer reads
SMALL_GAP = 1 << 12  # bytes between elements: fewer are rather read than skipped
NUMBERS = 1 << 18  # values that are handed on at a time
MAX_ARRAY = 1 << 32  # bytes of an array in memory
MAX_DIMENSIONS = 64  # of an array of numpy 2

PUT_OFF: dict[str, Callable[[Array], Array]] = {  # what torch does to the stored values on reading
    "conjugate": np.conj,
    "negative": np.negative,
    "conjugate-negative": lambda values: np.negative(np.conj(values)),
}

Conversion = tuple[np.dtype[Any], Callable[[Array], Array]]
"""A type of values, and what makes them of stored elements."""


def check(entry: Entry) -> None:
    """Make sure that there are values to read; reads none.

    Raises:
        UsageError: the entry is no plain tensor, or its type has no values that numpy could hold.
        LimitError: it has a shape that numpy cannot hold.
        MalformedError: the entry reaches past its storage.
    """
    entry = dequantized(entry)
    wide, _ = conversion_of(entry)
    spread = wide.itemsize * prod(size or 1 for size in entry.shape)
    if len(entry.shape) > MAX_DIMENSIONS or spread > maxsize:
        raise LimitError(f"'{entry.name}' of shape {list(entry.shape)} is more than numpy holds")
    check_extent(entry, _storage(entry).nbytes)


def read(entry: Entry) -> Array:
    """Return the values, row-major; of types that numpy lacks, as float32 or complex64, exactly.

    Those of quantized types are dequantized.

    Raises:
        ParamctlError: as `check`.
        LimitError: the array would take more than 4 GiB.
    """
    entry = dequantized(entry)
    wide, convert = conversion_of(entry)
    nbytes = entry.numel * wide.itemsize
    if nbytes > MAX_ARRAY:
        raise LimitError(
            f"'{entry.name}' takes {nbytes} bytes, over {MAX_ARRAY}", hint="name a slice of it"
        )
    check(entry)
    return convert(_gather(squeeze(entry), stored_type(entry))).reshape(entry.shape)


def blocks(entry: Entry) -> Iterator[Array]:
    """Yield the same values as `read`, of an entry of any size, at most 2^18 of them at a time.

    Raises:
        ParamctlError: as `check`.
    """
    entry = dequantized(entry)
    _, convert = conversion_of(entry)
    check(entry)
    for stored in _stored_blocks(entry):
        yield convert(stored)


def value_type(entry: Entry) -> np.dtype[Any]:
    """Return the type of the values that `read` returns."""
    return conversion_of(dequantized(entry))[0]


def raw(entry: Entry) -> Iterator[bytes]:
    """Yield the elements' own bytes, little-endian and row-major, of at most 2^18 at a time.

    Raises:
        UsageError: the entry is no plain tensor, or a part of one that shares bytes with the rest.
        MalformedError: the entry reaches past its storage.
    """
    if entry.layout not in LAZY and (entry.dtype.bits % 8 or entry.dtype.block > 1):
        yield from _packed_bytes(entry)
        return
    for block in elements(entry):
        yield block.tobytes()


def elements(entry: Entry) -> Iterator[Array]:
    """Yield the elements that `raw` yields the bytes of, as numpy has them or as whole numbers.

    Raises:
        ParamctlError: as `raw`.
    """
    if entry.layout in LAZY:
        yield from _lazy_elements(entry)
        return
    little = stored_type(entry).newbyteorder("<")
    check_extent(entry, _storage(entry).nbytes)
    for block in _stored_blocks(entry):
        yield block.astype(little, copy=False)


def _lazy_elements(entry: Entry) -> Iterator[Array]:
    """Yield what torch would make of the stored elements."""
    if not entry.dtype.numpy:
        raise UsageError(
            f"'{entry.name}' is {entry.layout}: of {entry.dtype.name}, its bytes are not stored",
            hint=Spelling("paramctl show --format npy writes them", "read() computes them"),
        )
    yield from blocks(entry)


def conversion_of(entry: Entry) -> Conversion:
    """Return the type of the values, and what makes them of the stored elements.

    Raises:
        UsageError: the entry is no plain tensor, or its type has no values that numpy could hold.
    """
    _storage(entry)
    conversion = _conversion(entry.dtype, entry.layout)
    if not conversion:
        raise _opaque(entry)
    return conversion


@cache
def _conversion(dtype: DType, layout: str) -> Conversion | None:
    held, widen = WIDENED.get(dtype.name, (dtype.numpy, None))
    put_off = PUT_OFF.get(layout)
    if not held or (put_off and dtype.name == "bool"):
        return None
    wide = np.dtype(held)

    def convert(stored: Array) -> Array:
        values = widen(stored) if widen else stored.astype(wide, copy=False)
        return np.asarray(put_off(values) if put_off else values, wide)

    return wide, convert


def _stored_blocks(entry: Entry) -> Iterator[Array]:
    """Yield the stored elements in order, none of their dimensions left."""
    read = _in_a_row if is_row_major(entry) else _picked
    for values in read(entry, stored_type(entry)):
        for start in range(0, values.size, NUMBERS):
            yield values[start : start + NUMBERS]


def _in_a_row(entry: Entry, stored: np.dtype[Any]) -> Iterator[Array]:
    storage = _storage(entry)
    begin = storage.offset + entry.offset * stored.itemsize
    end = begin + entry.numel * stored.itemsize
    for position in range(begin, end, BLOCK):
        yield np.frombuffer(storage.source.read(position, min(BLOCK, end - position)), stored)


def _picked(entry: Entry, stored: np.dtype[Any]) -> Iterator[Array]:
    for part in split(squeeze(entry), STRIDED_BLOCK // stored.itemsize):
        yield _gather(part, stored).reshape(-1)


def _packed_bytes(entry: Entry) -> Iterator[bytes]:
    """Yield the bytes of elements that share bytes, in whole blocks of them."""
    storage, dtype = _storage(entry), entry.dtype
    if entry.strides is not None or entry.offset:
        raise UsageError(f"'{entry.name}': a part of {dtype.name} does not fill whole bytes")
    if storage.big_endian and dtype.block > 1:
        raise UsageError(f"'{entry.name}': the bytes of {dtype.name} are in big-endian order")
    check_extent(entry, storage.nbytes)
    step = BLOCK - BLOCK % max(1, dtype.bits // 8)
    for begin in range(0, entry.nbytes, step):
        yield storage.source.read(storage.offset + begin, min(step, entry.nbytes - begin))


def stored_type(entry: Entry) -> np.dtype[Any]:
    """Return the numpy type of the stored elements, byte order included.

    Raises:
        UsageError: as `conversion_of`.
    """
    stored = _stored_type(entry.dtype, big_endian=_storage(entry).big_endian)
    if not stored:
        raise _opaque(entry)
    return stored


@cache
def _stored_type(dtype: DType, *, big_endian: bool) -> np.dtype[Any] | None:
    order = ">" if big_endian else "<"
    if dtype.name == "bool":
        return np.dtype("u1")
    if dtype.numpy:
        return np.dtype(order + dtype.numpy[1:])
    if dtype.name == "complex32":
        return np.dtype([("real", f"{order}f2"), ("imag", f"{order}f2")])
    return np.dtype(f"{order}u{dtype.bits // 8}") if dtype.bits in (8, 16, 32) else None


def _opaque(entry: Entry) -> UsageError:
    what = f"'{entry.name}': values of {entry.dtype.name} are not unpacked"
    show = Spelling("paramctl show --format raw writes", "raw() yields")
    return UsageError(what, hint=(show, " its bytes"))


def _storage(entry: Entry) -> Storage:
    if entry.layout not in ARRAYS or entry.storage is None:
        raise UsageError(f"'{entry.name}' is {entry.layout}: it has no values laid out as an array")
    return entry.storage


def _gather(entry: Entry, stored: np.dtype[Any]) -> Array:
    """Read the elements, and of the bytes between them no more than small gaps."""
    if span_of(entry)[1] <= entry.numel:
        return np.ascontiguousarray(_read_span(entry, stored)).reshape(entry.shape)
    values = np.empty(entry.shape, stored)
    if entry.numel:
        _fill(values, entry)
    return values


def _fill(values: Array, entry: Entry) -> None:
    """Read into `values`: cut the outermost dimension until a part is worth reading at once."""
    dimensions = zip(map(abs, strides_of(entry)), entry.shape, range(values.ndim), strict=True)
    steps = sorted(step for step in dimensions if step[1] > 1)
    runs = accumulate(((size - 1) * stride for stride, size, _ in steps), initial=1)
    gaps = (stride - run for (stride, _, _), run in zip(steps, runs, strict=False))
    small = max(gaps, default=0) * values.itemsize < SMALL_GAP
    span = span_of(entry)[1] * values.itemsize
    if span <= values.nbytes or (small and span <= BLOCK):
        values[...] = _read_span(entry, values.dtype)
        return
    _, size, outer = steps[-1]
    rows = max(1, size // max(2, span // BLOCK))
    for start in range(0, size, rows):
        part = (*(slice(None),) * outer, slice(start, start + rows))
        _fill(values[part], select(entry, part))


def _read_span(entry: Entry, stored: np.dtype[Any]) -> Array:
    """Read all the bytes between the first element and the last, and pick the elements there."""
    storage = _storage(entry)
    low, span = span_of(entry)
    data = storage.source.read(storage.offset + low * stored.itemsize, span * stored.itemsize)
    return np.lib.stride_tricks.as_strided(
        np.frombuffer(data, stored)[entry.offset - low :],
        entry.shape,
        [stride * stored.itemsize for stride in strides_of(entry)],
        writeable=False,
    )
