"""Philox4x64-10 in torch's int64: numpy's words on any device."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 8  # 32-bit words that one counter gives
ROUNDS = 10
MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)  # the golden ratio, and sqrt(3) - 1
"""The constants of Salmon et al., SC 2011, as Random123's philox.h has them."""

LOW = 0xFFFFFFFF
SIGN = 1 << 63


def words(key: Sequence[int], start: int, count: int, device: str) -> "Tensor":
    """Return words `start` to `start + count` as int32, which holds the bits of uint32."""
    import torch  # noqa: PLC0415 (only devices other than the CPU need it)

    first, lead = divmod(start, BLOCK)
    last = -(-(start + count) // BLOCK)
    counters = torch.arange(first + 1, last + 1, device=device)  # numpy counts before its first use
    zero = torch.zeros_like(counters)
    blocks = torch.stack(_rounds((counters, zero, zero, zero), key), 1)
    return blocks.flatten().view(torch.int32)[lead : lead + count]


def _rounds(state: "Sequence[Tensor]", key: Sequence[int]) -> "list[Tensor]":
    a, b, c, d = state
    for number in range(ROUNDS):
        left, right = (_signed(half + number * step) for half, step in zip(key, WEYL, strict=True))
        a_high, a_low = _product(a, MULTIPLIERS[0])
        c_high, c_low = _product(c, MULTIPLIERS[1])
        a, b, c, d = c_high ^ b ^ left, c_low, a_high ^ d ^ right, a_low
    return [a, b, c, d]


def _product(x: "Tensor", constant: int) -> "tuple[Tensor, Tensor]":
    """Return the high and the low 64 bits of a product, by the four products of 32-bit halves.

    int64 wraps as uint64 does, and the middle sum is below 3 * 2^32.
    """
    high, low = constant >> 32, constant & LOW
    x_high, x_low = _upper(x), x & LOW
    cross, other = x_high * low, x_low * high
    middle = _upper(x_low * low) + (cross & LOW) + (other & LOW)
    top = x_high * high + _upper(cross) + _upper(other) + _upper(middle)
    return top, x * _signed(constant)


def _upper(x: "Tensor") -> "Tensor":
    return (x >> 32) & LOW


def _signed(value: int) -> int:
    """Return the number below 2^63 that has the same 64 bits."""
    return ((value + SIGN) & (2 * SIGN - 1)) - SIGN
