"""The bridge from stored bytes to numpy: slices, byte order, strides, and the types numpy lacks."""

from collections.abc import Callable, Iterator
from functools import cache
from types import EllipsisType
from typing import Any

import numpy as np

from paramctl.checkpoint import Entry, Storage
from paramctl.errors import LimitError, MalformedError, UsageError

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
Index = tuple[int | slice | EllipsisType, ...]

BLOCK = 1 << 20  # bytes that are handed on at a time
SMALL_READ = 1 << 16  # bytes that are rather read at once than picked one by one
MAX_ARRAY = 1 << 32  # bytes of an array in memory

LAZY: dict[str, Callable[[Array], Array]] = {  # what torch does to the stored values on reading
    "conjugate": np.conj,
    "negative": np.negative,
    "conjugate-negative": lambda values: np.negative(np.conj(values)),
}
FLOAT8 = {  # exponent bits, bias, what stands for no number: "ieee", "fn" or "fnuz"
    "float8_e4m3fn": (4, 7, "fn"),
    "float8_e5m2": (5, 15, "ieee"),
    "float8_e4m3fnuz": (4, 8, "fnuz"),
    "float8_e5m2fnuz": (5, 16, "fnuz"),
}


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides, in elements, of a contiguous array."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def select(entry: Entry, index: Index) -> Entry:
    """Return the part of an entry that numpy's basic indexing would give; reads nothing.

    Raises:
        UsageError: the index does not fit the shape.
    """
    if not index:
        return entry
    steps = _expand_ellipsis(entry, index)
    strides = entry.strides if entry.strides is not None else row_major(entry.shape)
    offset, shape, kept = entry.offset, [], []
    for place, (size, stride) in enumerate(zip(entry.shape, strides, strict=True)):
        step = steps[place] if place < len(steps) else slice(None)
        if isinstance(step, slice):
            chosen = range(*_bounds(entry, step, size))
            offset += chosen.start * stride if chosen else 0
            shape.append(len(chosen))
            kept.append(chosen.step * stride)
        elif -size <= step < size:
            offset += (step % size) * stride
        else:
            _refuse(entry, f"index {step} is out of bounds for dimension {place} of size {size}")
    return entry._replace(offset=offset, shape=tuple(shape), strides=tuple(kept))


def _expand_ellipsis(entry: Entry, index: Index) -> list[int | slice]:
    ellipses = [place for place, step in enumerate(index) if step is ...]
    if len(ellipses) > 1:
        _refuse(entry, "an index holds one '...' at most")
    steps = [step for step in index if not isinstance(step, EllipsisType)]
    if len(steps) > len(entry.shape):
        _refuse(entry, f"{len(steps)} indices are too many")
    if ellipses:
        fill = [slice(None)] * (len(entry.shape) - len(steps))
        return [*steps[: ellipses[0]], *fill, *steps[ellipses[0] :]]
    return steps


def _bounds(entry: Entry, step: slice, size: int) -> tuple[int, int, int]:
    if step.step == 0:
        _refuse(entry, "a slice's step is 0")
    return step.indices(size)


def _refuse(entry: Entry, what: str) -> None:
    raise UsageError(f"'{entry.name}' of shape {list(entry.shape)}: {what}")


def read(entry: Entry) -> Array:
    """Return the values, row-major; of types that numpy lacks, as float32 or complex64, exactly.

    Raises:
        UsageError: the entry is no plain tensor, or its type has no values that numpy could hold.
        LimitError: the array would take more than 4 GiB.
        MalformedError: the entry reaches past its storage.
    """
    if entry.layout in LAZY:
        return LAZY[entry.layout](read(entry._replace(layout="strided")))
    name = entry.dtype.name
    stored = _gather(entry, _stored_type(entry))
    if entry.dtype.numpy:
        return np.asarray(stored.astype(entry.dtype.numpy, copy=False))
    if name == "bfloat16":
        return np.asarray(stored.astype("<u4") << 16).view("<f4")
    if name == "float8_e8m0fnu":
        return np.asarray(_e8m0_table()[stored])
    if name in FLOAT8:
        return np.asarray(_float8_table(*FLOAT8[name])[stored])
    if name == "complex32":
        values = np.empty(entry.shape, "<c8")
        values.real, values.imag = stored["real"], stored["imag"]
        return values
    raise UsageError(f"'{entry.name}': values of {name} are not unpacked", hint="--format raw")


def raw(entry: Entry) -> Iterator[bytes]:
    """Yield the elements' own bytes, little-endian and row-major, a block of 1 MiB at a time.

    Raises:
        UsageError: the entry is no plain tensor, or a part of one that shares bytes with the rest.
        MalformedError: the entry reaches past its storage.
    """
    if entry.dtype.bits % 8:
        yield from _packed_bytes(entry)
        return
    stored = _stored_type(entry)
    little = stored.newbyteorder("<")
    for block in _split(entry, BLOCK // stored.itemsize):
        yield _gather(block, stored).astype(little, copy=False).tobytes()


def _packed_bytes(entry: Entry) -> Iterator[bytes]:
    storage = _storage(entry)
    if entry.strides is not None or entry.offset:
        raise UsageError(f"'{entry.name}': a part of {entry.dtype.name} does not fill whole bytes")
    for begin in range(0, entry.nbytes, BLOCK):
        yield storage.source.read(storage.offset + begin, min(BLOCK, entry.nbytes - begin))


def _split(entry: Entry, numel: int) -> Iterator[Entry]:
    """Cut an entry along its first dimensions into parts of at most `numel` elements."""
    if entry.numel <= numel:
        yield entry
        return
    rows = numel // (entry.numel // entry.shape[0])
    for start in range(0, entry.shape[0], max(rows, 1)):
        if rows:
            yield select(entry, (slice(start, start + rows),))
        else:
            yield from _split(select(entry, (start,)), numel)


def _stored_type(entry: Entry) -> np.dtype[Any]:
    """Return the numpy type of the stored elements, byte order included."""
    order = ">" if _storage(entry).big_endian else "<"
    if entry.dtype.name == "bool":
        return np.dtype("u1")
    if entry.dtype.numpy:
        return np.dtype(order + entry.dtype.numpy[1:])
    if entry.dtype.name == "complex32":
        return np.dtype([("real", f"{order}f2"), ("imag", f"{order}f2")])
    if entry.dtype.bits not in (8, 16, 32):
        raise UsageError(
            f"'{entry.name}': values of {entry.dtype.name} are not unpacked", hint="--format raw"
        )
    return np.dtype(f"{order}u{entry.dtype.bits // 8}")


def _storage(entry: Entry) -> Storage:
    if entry.layout != "strided" or entry.storage is None:
        raise UsageError(f"'{entry.name}' is {entry.layout}: it has no values laid out as an array")
    return entry.storage


def _gather(entry: Entry, stored: np.dtype[Any]) -> Array:
    """Read the elements, no more bytes than needed but for small gaps."""
    if entry.numel * stored.itemsize > MAX_ARRAY:
        raise LimitError(
            f"'{entry.name}' takes {entry.numel * stored.itemsize} bytes, over {MAX_ARRAY}",
            hint="name a slice of it",
        )
    if not entry.numel:
        return np.empty(entry.shape, stored)
    strides = entry.strides if entry.strides is not None else row_major(entry.shape)
    reaches = [(size - 1) * stride for size, stride in zip(entry.shape, strides, strict=True)]
    low = entry.offset + sum(reach for reach in reaches if reach < 0)
    span = 1 + sum(map(abs, reaches))
    _check_extent(entry, low, span, stored.itemsize)
    needed = entry.numel * stored.itemsize
    if span * stored.itemsize <= max(2 * needed, SMALL_READ) or not any(reaches):
        return _read_span(entry, low, span, stored)
    widest = max(range(len(reaches)), key=lambda place: abs(reaches[place]))
    before = (slice(None),) * widest
    rows = [_gather(select(entry, (*before, row)), stored) for row in range(entry.shape[widest])]
    return np.stack(rows, axis=widest)


def _check_extent(entry: Entry, low: int, span: int, itemsize: int) -> None:
    storage = _storage(entry)
    if low < 0 or (low + span) * itemsize > storage.nbytes:
        raise MalformedError(
            f"'{entry.name}' takes bytes {low * itemsize} to {(low + span) * itemsize} "
            f"of a storage of {storage.nbytes}"
        )


def _read_span(entry: Entry, low: int, span: int, stored: np.dtype[Any]) -> Array:
    """Read all the bytes between the first element and the last, and pick the elements there."""
    storage = _storage(entry)
    data = storage.source.read(storage.offset + low * stored.itemsize, span * stored.itemsize)
    flat = np.frombuffer(data, stored)
    strides = entry.strides if entry.strides is not None else row_major(entry.shape)
    view = np.lib.stride_tricks.as_strided(
        flat[entry.offset - low :],
        entry.shape,
        [stride * stored.itemsize for stride in strides],
        writeable=False,
    )
    return np.ascontiguousarray(view).reshape(entry.shape)


@cache
def _float8_table(exponent_bits: int, bias: int, style: str) -> Array:
    """Return the values of all 256 codes of an 8-bit float (OCP OFP8; arXiv:2206.02915)."""
    codes = np.arange(256)
    mantissa_bits = 7 - exponent_bits
    exponent = (codes >> mantissa_bits) & ((1 << exponent_bits) - 1)
    fraction = (codes & ((1 << mantissa_bits) - 1)) / (1 << mantissa_bits)
    scale = np.exp2(np.maximum(exponent, 1) - bias)
    values = np.where(codes < 128, 1, -1) * scale * (fraction + (exponent > 0))
    if style == "fn":
        values[[0x7F, 0xFF]] = np.nan
    elif style == "fnuz":
        values[0x80] = np.nan
    else:
        infinite = exponent == (1 << exponent_bits) - 1
        values[infinite] = np.where(
            fraction[infinite] > 0, np.nan, np.sign(values[infinite]) * np.inf
        )
    return np.asarray(values, "<f4")


@cache
def _e8m0_table() -> Array:
    """Return the values of all 256 powers of two of a scale (OCP MX 1.0, section 5.4.1)."""
    values = np.exp2(np.arange(256.0) - 127)
    values[0xFF] = np.nan
    return np.asarray(values, "<f4")
