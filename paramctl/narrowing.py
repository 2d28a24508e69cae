"""Values of numpy's types as the stored elements of any type: the way back from widening."""

from functools import cache
from typing import Any

import numpy as np

from paramctl.dtypes import FLOATING, DType
from paramctl.widening import FLOAT8, WIDENED, Array

QUIET_NAN = 0x7FC0  # what torch makes of every NaN
FNUZ_NAN = 0x80
HALF, LEAST_NORMAL, INFINITE = 0x3F000000, 0x38800000, 0x7F800000  # 1/2, 2**-14, as float32
LARGEST_FN = np.uint8(0x7E)


def narrow(values: Array, dtype: DType) -> Array:
    """Return the little-endian elements of `dtype` nearest to `values`, ties to even.

    As in torch, what is too large becomes infinite; of the types without an infinity,
    float8_e4m3fn's largest number and the fnuz types' NaN; and what is smaller than float32 is
    rounded to float32 first. `dtype` is one that `can_hold` accepts.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if dtype.name in FLOATING and dtype.bits < 32:
            values = values.astype("<f4", copy=False)
        if dtype.name == "bfloat16":
            return _narrow_bfloat16(values)
        if dtype.name in FLOAT8:
            return _narrow_float8(values, dtype.name)
        if dtype.name == "float16" and values.dtype == "<f4":
            return _narrow_float16(values)
        return np.asarray(values.astype(dtype.numpy, copy=False))


def widen(stored: Array, dtype: DType) -> Array:
    """Return the values of stored elements, in a type of numpy's."""
    return WIDENED[dtype.name][1](stored) if dtype.name in WIDENED else stored


def can_hold(dtype: DType) -> bool:
    """Whether values of this type can be computed: not those of scales and of less than a byte."""
    return bool(dtype.numpy) or dtype.name in FLOATING


def value_type(dtype: DType) -> np.dtype[Any]:
    """Return the numpy type in which values of `dtype` are computed."""
    return np.dtype(WIDENED[dtype.name][0] if dtype.name in WIDENED else dtype.numpy)


def _narrow_bfloat16(values: Array) -> Array:
    """Round float32 to its upper half: add just under half of the last bit kept, then cut."""
    flat = np.ascontiguousarray(values).reshape(-1)
    bits = flat.view("<u4")
    rounded = bits >> 16
    rounded &= 1
    rounded += 0x7FFF
    rounded += bits
    rounded >>= 16
    narrowed = rounded.astype("<u2")
    if np.isnan(np.max(flat, initial=0)):
        narrowed[np.isnan(flat)] = QUIET_NAN
    return narrowed.reshape(values.shape)


def _narrow_float16(values: Array) -> Array:
    """Round to ten bits, or where the exponent is the least, to a multiple of the least number.

    numpy takes twice as long. Adding 1/2 leaves a float32 that many bits, rounded by the processor.
    """
    bits = np.ascontiguousarray(values).reshape(-1).view("<u4")
    sizes = bits & 0x7FFFFFFF
    rounded = sizes >> 13
    rounded &= 1
    rounded += sizes
    rounded += 0xFFF
    rounded >>= 13
    rounded -= 112 << 10
    tiny = (sizes.view("<f4") + np.float32(0.5)).view("<u4")
    tiny -= HALF
    np.copyto(rounded, tiny, where=sizes < LEAST_NORMAL)
    np.minimum(rounded, 0x7C00, out=rounded)
    if sizes.max(initial=0) > INFINITE:
        rounded[sizes > INFINITE] = 0x7E00
    bits = bits >> 16
    bits &= 0x8000
    bits |= rounded
    return np.asarray(bits.astype("<u2").view("<f2").reshape(values.shape))


def _narrow_float8(values: Array, name: str) -> Array:
    """Look values up by their upper halves, the last bit of which says whether more is below.

    No number of these types, and no middle between two, has that bit.
    """
    halves = np.ascontiguousarray(values).reshape(-1).view("<u2").reshape(-1, 2)
    codes = _float8_codes(name).take(halves[:, 1] | (halves[:, 0] != 0))
    return np.asarray(codes.reshape(values.shape))


@cache
def _float8_codes(name: str) -> Array:
    """Return the codes of all values whose float32 has no lower half."""
    values = (np.arange(1 << 16, dtype="<u4") << 16).view("<f4")
    style = FLOAT8[name][2]
    codes = np.searchsorted(_thresholds(name), np.abs(values)).astype("u1")
    if style == "fn":
        codes = np.minimum(codes, LARGEST_FN)
    nan = FNUZ_NAN if style == "fnuz" else 0x7F
    codes[np.isnan(values)] = nan
    if style == "fnuz":
        codes[codes > 0x7F] = nan
        signed = np.signbit(values) & (codes > 0) & (codes != nan)  # there is no negative zero
    else:
        signed = np.signbit(values)
    return np.asarray(codes | (signed.astype("u1") << 7))


@cache
def _thresholds(name: str) -> Array:
    """Return where each positive code ends and the next begins; a tie goes to the even code.

    The code behind the last finite one stands for what is too large: it is at the place where the
    next number would be.
    """
    wide = np.asarray(WIDENED[name][1](np.arange(128, dtype="u1")), "<f8")
    finite = wide[np.isfinite(wide)]
    finite = np.append(finite, 2 * finite[-1] - finite[-2])
    middles = ((finite[1:] + finite[:-1]) / 2).astype("<f4")
    middles[1::2] = np.nextafter(middles[1::2], np.float32(0))
    return np.asarray(middles)
