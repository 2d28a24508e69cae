"""The types that numpy lacks, in types of numpy's that hold all of their values."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from paramctl.dtypes import DType

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

FLOAT8 = {  # exponent bits, bias, what stands for no number: "ieee", "fn" or "fnuz"
    "float8_e4m3fn": (4, 7, "fn"),
    "float8_e5m2": (5, 15, "ieee"),
    "float8_e4m3fnuz": (4, 8, "fnuz"),
    "float8_e5m2fnuz": (5, 16, "fnuz"),
}


def _widen_complex32(stored: Array) -> Array:
    values = np.empty(stored.shape, "<c8")
    values.real, values.imag = stored["real"], stored["imag"]
    return values


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
        values[infinite] = np.where(fraction[infinite] > 0, np.nan, values[infinite] * np.inf)
    return np.asarray(values, "<f4")


@cache
def _e8m0_table() -> Array:
    """Return the values of all 256 powers of two of a scale (OCP MX 1.0, section 5.4.1)."""
    values = np.exp2(np.arange(256.0) - 127)
    values[0xFF] = np.nan
    return np.asarray(values, "<f4")


def _widen_float8(name: str, stored: Array) -> Array:
    return np.asarray(_float8_table(*FLOAT8[name])[stored])


WIDENED: dict[str, tuple[str, Callable[[Array], Array]]] = {  # what numpy lacks -> what holds it
    "bfloat16": ("<f4", lambda stored: (stored.astype("<u4") << 16).view("<f4")),
    "complex32": ("<c8", _widen_complex32),
    "float8_e8m0fnu": ("<f4", lambda stored: np.asarray(_e8m0_table()[stored])),
    **{name: ("<f4", partial(_widen_float8, name)) for name in FLOAT8},
}


def widen(stored: Array, dtype: DType) -> Array:
    """Return the values of stored elements, in a type of numpy's."""
    return WIDENED[dtype.name][1](stored) if dtype.name in WIDENED else stored


def value_type(dtype: DType) -> np.dtype[Any]:
    """Return the numpy type in which values of `dtype` are computed."""
    return np.dtype(WIDENED[dtype.name][0] if dtype.name in WIDENED else dtype.numpy)
