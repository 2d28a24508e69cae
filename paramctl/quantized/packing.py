"""How blocks of quantized values are packed: their fields, integers and scales."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from paramctl.widening import Array

Field = tuple[str, str] | tuple[str, str, int]
SCALE: Field = ("scale", "f2")
LEAST: Field = ("least", "f2")


def spread(packed: Array, width: int, run: int) -> Array:
    """Return the numbers of `width` bits that lie in bytes, a row for each block.

    Of every `run` bytes first the lowest bits of each are numbers, then the next ones above them.
    """
    word = np.dtype(f"u{min(run, 8)}").type  # as many bytes as are shifted at once
    words = np.ascontiguousarray(packed).view(word)
    count, size = len(packed), packed.shape[1]
    numbers = np.empty((count, size // run, 8 // width, run // words.itemsize), word)
    for place in range(8 // width):
        shifted = words.reshape(numbers[:, :, place].shape) >> word(place * width)
        numbers[:, :, place] = shifted
    numbers &= word(np.iinfo(word).max // 255 * (2**width - 1))  # the mask of every byte
    return numbers.view("u1").reshape(count, size * (8 // width))


def join(low: Array, high: Array, width: int) -> Array:
    """Return the numbers whose lowest `width` bits are those of `low`, those above of `high`."""
    return np.asarray(low | high * np.uint8(1 << width))  # numpy shifts bytes ten times slower


def floats(blocks: Array, field: str) -> Array:
    """Return a float of each block, in float32 and a row of its own."""
    return np.asarray(blocks[field].astype("f4")[:, None])


def scaled(blocks: Array, field: str, integers: Array) -> Array:
    """Return integers times the float of their block, in float32 as ggml computes it."""
    return np.asarray(floats(blocks, field) * integers)


class Packing(NamedTuple):
    """How a block is laid out, how its integers are got, and which of them stands for 0.

    A value is `scale * (integer - zero) + least`; most blocks have no `least`. `scales` and
    `leasts` return a row for each block: a number for each group of its values, all of one size.
    """

    fields: list[Field]
    integers: Callable[[Array], Array]
    zero: int = 0
    scales: Callable[[Array], Array] = partial(floats, field="scale")
    leasts: Callable[[Array], Array] | None = None

    def values(self, blocks: Array) -> Array:
        """Return the values of blocks, a row for each, computed in float32 as ggml does."""
        integers = self.integers(blocks)
        if self.zero:
            integers = integers.view("i1") - np.int8(self.zero)
        with np.errstate(over="ignore", invalid="ignore"):  # a scale may be infinite or NaN
            scales = self.scales(blocks)
            groups = (*scales.shape, integers.shape[1] // scales.shape[1])
            values = integers.astype("f4").reshape(groups)
            values *= scales[..., None]
            if self.leasts:
                values += self.leasts(blocks)[..., None]
        return values.reshape(integers.shape)
