"""Floats by their bits: a magnitude, read as an unsigned integer, tells what kind of number it is.

They are compared as integers as they are stored, which no type of numpy's is needed for.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from paramctl.checkpoint import ARRAYS, Entry
from paramctl.dtypes import BY_NAME
from paramctl.quantized import dequantized
from paramctl.slices import strides_of
from paramctl.widening import Array


class Float(NamedTuple):
    """Where along the magnitudes of a type what begins.

    Attributes:
        normal: the smallest magnitude that is no denormal one.
        half: the largest that is finite as a float16.
        finite: the largest that is finite; the next is infinity where there is one, else NaN.
        has_infinity: whether there is one.
        table: what the magnitude of a code is, "" for all its bits but the sign.
        is_narrow: whether denormals are among the values that are used every day.
    """

    normal: int
    half: int
    finite: int
    has_infinity: bool = True
    table: str = ""
    is_narrow: bool = False

    def magnitudes(self, bits: Array) -> Array:
        """Return the magnitudes of stored bits."""
        if self.table:
            return np.asarray(_table(self.table)[bits])
        sign = 1 << (8 * bits.itemsize - 1)
        return np.asarray(bits & (sign - 1))

    def nans(self, magnitudes: Array) -> Array:
        """Return which of them are NaN."""
        return np.asarray(magnitudes > self.finite + self.has_infinity)

    def infinities(self, magnitudes: Array) -> Array:
        """Return which of them are infinite."""
        return np.asarray((magnitudes == self.finite + 1) & self.has_infinity)

    def beyond_half(self, magnitudes: Array) -> Array:
        """Return which of them are finite, and would not be as a float16."""
        return np.asarray((magnitudes > self.half) & (magnitudes <= self.finite))

    def denormals(self, magnitudes: Array) -> Array:
        """Return which of them are denormal; zeros are not."""
        return np.asarray(magnitudes - 1 < max(self.normal - 1, 0))  # zeros become the largest


@cache
def _table(name: str) -> Array:
    codes = np.arange(256, dtype=np.uint16)
    if name == "e8m0":
        return codes + np.uint16(1)  # a scale is never zero
    return np.where(codes == 0x80, codes, codes & 0x7F)  # fnuz: -0 is the one NaN


FLOATS = {  # what 65,520 and more rounds to is infinite in float16
    "float16": Float(0x400, 0x7BFF, 0x7BFF, is_narrow=True),
    "bfloat16": Float(0x80, 0x477F, 0x7F7F),
    "float32": Float(0x80_0000, 0x477F_EFFF, 0x7F7F_FFFF),
    "float64": Float(1 << 52, 0x40EF_FDFF_FFFF_FFFF, 0x7FEF_FFFF_FFFF_FFFF),
    "float8_e4m3fn": Float(0x08, 0x7E, 0x7E, has_infinity=False, is_narrow=True),
    "float8_e5m2": Float(0x04, 0x7B, 0x7B, is_narrow=True),
    "float8_e4m3fnuz": Float(0x08, 0x7F, 0x7F, has_infinity=False, table="fnuz", is_narrow=True),
    "float8_e5m2fnuz": Float(0x04, 0x7F, 0x7F, has_infinity=False, table="fnuz", is_narrow=True),
    "float8_e8m0fnu": Float(0, 0xFF, 0xFF, has_infinity=False, table="e8m0"),
}
COMPONENTS = {"complex32": "float16", "complex64": "float32", "complex128": "float64"}


def components_of(entry: Entry) -> Entry:
    """Return the floats that an entry's values are, any other entry as it is.

    Quantized ones are dequantized, complex ones are pairs along a further dimension.
    """
    entry = dequantized(entry)
    if entry.dtype.name not in COMPONENTS:
        return entry
    return entry._replace(
        dtype=BY_NAME[COMPONENTS[entry.dtype.name]],
        shape=(*entry.shape, 2),
        offset=2 * entry.offset,
        strides=(*(2 * stride for stride in strides_of(entry)), 1),
    )


def has_floats(entry: Entry) -> bool:
    """Whether an entry is one array of floats of a known type."""
    return entry.layout in ARRAYS and components_of(entry).dtype.name in FLOATS


def bits_of(entry: Entry) -> Entry:
    """Return an entry of floats as one of the unsigned integers that their bits are."""
    return entry._replace(dtype=BY_NAME[f"uint{entry.dtype.bits}"], layout="strided")
