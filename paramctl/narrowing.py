"""Values of numpy's types as the stored elements of any type: the way back from widening."""

from functools import cache
from typing import Any

import numpy as np

from paramctl.dtypes import DType
from paramctl.widening import FLOAT8, WIDENED, Array

QUIET_NAN = 0x7FC0  # what torch makes of every NaN
FNUZ_NAN = 0x80
LARGEST_FN = np.uint8(0x7E)
FLOATING = frozenset({"float64", "float32", "float16", "bfloat16", *FLOAT8})


def narrow(values: Array, dtype: DType) -> Array:
    """Return the little-endian elements of `dtype` nearest to `values`, ties to even.

    As in torch, what is too large becomes infinite; of the types without an infinity,
    float8_e4m3fn's largest number and the fnuz types' NaN. `dtype` is one that `can_hold` accepts.
    """
    if dtype.name == "bfloat16":
        return _narrow_bfloat16(values.astype("<f4", copy=False))
    if dtype.name in FLOAT8:
        return _narrow_float8(values.astype("<f4", copy=False), dtype.name)
    with np.errstate(over="ignore", invalid="ignore"):
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


def _narrow_float8(values: Array, name: str) -> Array:
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
