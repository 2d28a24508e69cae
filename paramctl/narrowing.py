"""Values of numpy's types as the stored elements of any type: the way back from widening."""

from functools import cache

import numpy as np

from paramctl.dtypes import FLOATING, DType
from paramctl.widening import FLOAT8, WIDENED, Array

QUIET_NAN = 0x7FC0  # what torch makes of every NaN
FNUZ_NAN = 0x80
SMALLEST, TOO_LARGE = 2.0**-24, 65520.0  # of float16: what rounds to more than 0, and to infinity
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
            return _look_up(_float8_codes(dtype.name), values, 16)
        if dtype.name == "float16" and values.dtype == "<f4":
            # the cast of numpy takes twice as long
            return _look_up(_float16_codes(), values, 11).view("<f2")
        return np.asarray(values.astype(dtype.numpy, copy=False))


def can_hold(dtype: DType) -> bool:
    """Whether values of this type can be computed: not those of scales and of less than a byte."""
    return bool(dtype.numpy) or dtype.name in FLOATING


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


def _look_up(codes: Array, values: Array, cut: int) -> Array:
    """Return the codes of float32 values by their bits but for the `cut` lowest.

    The last bit that is left says whether more is below: no number of the type of the codes, and
    no middle between two, has that bit.
    """
    bits = np.ascontiguousarray(values).reshape(-1).view("<u4")
    lower = (1 << cut) - 1
    places = bits & lower
    places += lower
    places |= bits
    places >>= cut
    # there is a code for every place: "clip" only spares numpy the look for places outside
    return np.asarray(codes.take(places, mode="clip").reshape(values.shape))


@cache
def _float16_codes() -> Array:
    """Return the codes of all values whose float32 has no 11 lowest bits."""
    sizes = (np.arange(1 << 20, dtype="<u4") << 11).view("<f4")
    codes = np.zeros(sizes.shape, "<u2")
    numbers = (sizes > SMALLEST / 2) & (sizes < TOO_LARGE)
    codes[numbers] = sizes[numbers].astype("<f2").view("<u2")
    codes[sizes >= TOO_LARGE] = 0x7C00
    codes[np.isnan(sizes)] = 0x7E00
    return np.concatenate([codes, codes | 0x8000])


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
