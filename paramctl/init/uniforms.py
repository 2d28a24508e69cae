"""Uniform fractions from random words."""

from paramctl.init.namespaces import Array, namespace

BITS = 24  # what the mantissa of a float32 holds


def fill_uniforms(out: Array, words: Array) -> None:
    """Fill `out` with the upper 24 bits of each word, as a fraction of 2^24; changes the words."""
    words >>= 32 - BITS
    words &= (1 << BITS) - 1  # an int32 shifts its sign in
    out[:] = words.view(namespace(words).int32)
    out *= 2.0**-BITS
