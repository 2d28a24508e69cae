"""Standard normals from random words, by the inverse of their distribution function.

Only operations that IEEE 754 rounds exactly are used, each of them a call of its own that no
compiler can fuse with another: + - * /, conversions, and integers. So numpy and torch give the
same bits on any CPU and any GPU. No function of a mathematical library is used: they differ.

The form is that of Wichura's AS241 (Applied Statistics 37, 1988, 477-484): a rational function in
the square of the distance from 1/2; near it one in the root of the tail's share p; and in the far
tails one in s = sqrt(-2 ln p), here subtracted from s as in Abramowitz and Stegun 26.2.23. The
coefficients are our own: minimax fits to the relative error by Remez's exchange in 40 digits,
against scipy's erfinv, ndtri and ndtri_exp. Of the draws 93 % are in the centre, and all but 0.2 %
do without a logarithm. Of z, the fits are off by 1.2e-8 in the centre, 1.7e-8 near it and 7.7e-9
far out; with the roundings by 3.8, 1.8 and 0.63 units in the last place of float32, at most (every
third word; every word of the far tail).
"""

from collections.abc import Sequence

from paramctl.init.cores import FEW_CORES
from paramctl.init.namespaces import Array, convert, namespace

SCRATCH = 4  # float32 arrays of the size of their own that the functions here work in

STEP = 1 << (16 if FEW_CORES else 20)  # normals whose centre is worked on at a time
SPLIT = 55 / 64  # of u^2, u = 2 p - 1: the tails lie beyond
BASE = 1.75  # not far from z / u in the centre, nor from z near it: the rest needs fewer bits
CENTRE_ABOVE = (-6.5936375, 22.14551, -11.717896, 0.5856005, 0.18412927)
CENTRE_BELOW = (4.893005, -27.943207, 31.419344, -10.469028, 1.0)
"""z / u - BASE, a quotient of polynomials in u^2 - SPLIT, the highest power first."""

FAR = 2.0**-10  # share of the normals that are farther out, on each side
NEAR_ABOVE = (-2113.6042, -1701.031, 75.0756, 38.051018, 1.347269)
NEAR_BELOW = (-184.36207, 1094.4347, 463.3302, 42.32372, 1.0)
"""|z| - BASE, a quotient of polynomials in sqrt(p) - sqrt(FAR)."""

TAIL_ABOVE = (1.4621842673e-05, 0.019178501229, 0.73305472431, 4.0771473015, 2.8370346079)
TAIL_BELOW = (0.0031155057555, 0.18312831926, 1.7240291547, 3.1284423894, 1.0)
"""s - |z|, a quotient of polynomials in s, which may go up to 38: to tails of 1e-307."""

LARGEST, SIGN = 0x7FFFFFFF, -0x80000000  # the bits of a word that are its size, and its sign
FIRST_IN_TAIL = 1_990_770_624  # the least size of which u^2 in float32 is more than SPLIT
HALF_ROOT = 0x3FE6A09E667F3BCD  # the bits of sqrt(1/2)
MANTISSA = 52  # bits of the mantissa of a float64
LN2 = 0.6931471805599453


def fill_normals(out: Array, words: Array, scratch: Array) -> None:
    """Fill `out` with the standard normals of as many words.

    A word's highest bit is the sign, and the others, as a number a, the size: a share of
    (a + 1/2) 2^-31 of all normals are smaller.
    """
    xp = namespace(out)
    words, bits = words.view(xp.int32), out.view(xp.int32)
    sizes = scratch[-1, : len(out)].view(xp.int32)
    xp.bitwise_and(words, LARGEST, out=sizes)
    out[:] = sizes
    out += 0.5
    out *= 2.0**-31
    step = STEP if xp.__name__ == "numpy" else len(out)
    for begin in range(0, len(out), step):
        _fill_centre(out[begin : begin + step], scratch)
    tail = xp.where(sizes >= FIRST_IN_TAIL)[0]
    out[tail] = _tail_sizes(LARGEST - sizes[tail])
    xp.bitwise_and(words, SIGN, out=sizes)
    bits |= sizes


def _tail_sizes(larger: Array) -> Array:
    """Return the sizes of normals in the tails, of which so many 2^31sts are larger."""
    xp = namespace(larger)
    share = convert(larger, "float32")
    share += 0.5
    share *= 2.0**-32
    root = _root(share)
    root -= FAR**0.5
    normals = _polynomial(NEAR_ABOVE, root)
    normals /= _polynomial(NEAR_BELOW, root)
    normals += BASE
    far = xp.where(larger < int(FAR * 2**32))[0]
    if len(far):
        share = convert(larger[far], "float64")
        share += 0.5
        share *= 2.0**-32
        normals[far] = convert(-_tail(share), "float32")
    return normals


def fill_cut_normals(out: Array, words: Array, below: float, share: float, scratch: Array) -> None:
    """Fill `out` with normals of which `below` lie further down, and `share` are drawn from.

    A `below` near 0 is held to its last bit, down to 1e-300; so mirror what lies near 1.
    """
    xp = namespace(out)
    signed = words.view(xp.int32)
    wide = scratch[:2].reshape(-1).view(xp.float64)[: len(out)]
    out[:] = shares_of(signed, 2 * below - 1, 2 * share, wide)
    tail = xp.where(_fill_centre(out, scratch) > 0)[0]
    out[tail] = convert(_tail(shares_of(signed[tail], below, share)), "float32")


def shares_of(signed: Array, low: float, width: float, out: Array = None) -> Array:
    """Cut [low, low + width] into 2^32 parts: return the middle of each word's part, in float64."""
    shares = convert(signed, "float64", out)
    shares += 2.0**31 + 0.5
    shares *= width * 2.0**-32
    shares += low
    return shares


def _fill_centre(u: Array, scratch: Array) -> Array:
    """Turn each u = 2 p - 1 into its normal, where u^2 - SPLIT, which is returned, is below 0."""
    xp = namespace(u)
    y, numerator, denominator = scratch[:3, : len(u)]
    xp.multiply(u, u, out=y)
    y -= SPLIT
    _polynomial(CENTRE_ABOVE, y, numerator)
    _polynomial(CENTRE_BELOW, y, denominator)
    numerator /= denominator
    numerator += BASE
    u *= numerator
    return y


def _tail(p: Array) -> Array:
    """Return the normals of shares in the tails, in float64; the root by a step of Heron's."""
    xp = namespace(p)
    square = _log(xp.minimum(p, 1.0 - p)) * -2.0
    root = convert(_root(convert(square, "float32")), "float64")
    s = (root + square / root) * 0.5
    z = s - _polynomial(TAIL_ABOVE, s) / _polynomial(TAIL_BELOW, s)
    return xp.copysign(z, p - 0.5)


def _root(x: Array) -> Array:
    """Return the exactly rounded root of a float32.

    Torch's float64 root is not exactly rounded (MKL's is used on the CPU), but that of a float32
    is, once it is rounded to float32: no such root comes close to the middle of two.
    """
    return convert(namespace(x).sqrt(convert(x, "float64")), "float32")


def _log(x: Array) -> Array:
    """Return ln x in float64, to 1e-9: x = 2^e m, and ln m = 2 artanh f, f = (m - 1) / (m + 1).

    m lies within a factor of sqrt(2) around 1, so |f| < 0.172 and Gregory's series is short.
    """
    xp = namespace(x)
    bits = x.view(xp.int64)
    exponent = (bits - HALF_ROOT) >> MANTISSA
    m = (bits - (exponent << MANTISSA)).view(xp.float64)
    f = (m - 1.0) / (m + 1.0)
    series = _polynomial((2 / 9, 2 / 7, 2 / 5, 2 / 3, 2.0), f * f)
    return convert(exponent, "float64") * LN2 + series * f


def _polynomial(coefficients: Sequence[float], x: Array, out: Array = None) -> Array:
    """Return the polynomial of these coefficients, the highest power first, by Horner's rule."""
    first, *others, last = coefficients
    out = namespace(x).multiply(x, first, out=out)
    for coefficient in others:
        out += coefficient
        out *= x
    out += last
    return out
