"""Standard normals from random words, by the inverse of their distribution function.

Only operations that IEEE 754 rounds exactly are used, each of them a call of its own that no
compiler can fuse with another: + - * /, conversions, and integers. So numpy and torch give the
same bits on any CPU and any GPU. No function of a mathematical library is used: they differ.

The form is that of Wichura's AS241 (Applied Statistics 37, 1988, 477-484): a rational function in
the square of the distance from 1/2, and in the tails one in s = sqrt(-2 ln p), here subtracted from
s as in Abramowitz and Stegun 26.2.23. The coefficients are our own: minimax fits to the relative
error by Remez's exchange in 40 digits, against scipy's erfinv and ndtri_exp, with a centre so wide
that 93 % of the draws do without a logarithm. Of z, the centre's fit is off by 1.2e-8 and the
tail's by 7.7e-9; with the roundings by 3.8 and by 0.63 units in the last place of float32, at most
(every third word; every word of the tail).
"""

from collections.abc import Sequence

from paramctl.init.namespaces import Array, convert, namespace

SCRATCH = 3  # float32 arrays of the size of their own that the functions here work in

SPLIT = 55 / 64  # of u^2, u = 2 p - 1: the tails lie beyond
CENTRE = 1.75  # not far from z / u anywhere in the centre: what is left needs fewer bits
CENTRE_ABOVE = (-6.5936375, 22.14551, -11.717896, 0.5856005, 0.18412927)
CENTRE_BELOW = (4.893005, -27.943207, 31.419344, -10.469028, 1.0)
"""z / u - 1.75, a quotient of polynomials in u^2 - 55 / 64, the highest power first."""

TAIL_ABOVE = (1.4621842673e-05, 0.019178501229, 0.73305472431, 4.0771473015, 2.8370346079)
TAIL_BELOW = (0.0031155057555, 0.18312831926, 1.7240291547, 3.1284423894, 1.0)
"""s - |z|, a quotient of polynomials in s, which may go up to 38: to tails of 1e-307."""

SIZE, SIGN = 0x7FFFFFFF, -0x80000000  # of a word, as int32
HALF_ROOT = 0x3FE6A09E667F3BCD  # the bits of sqrt(1/2)
MANTISSA = 52  # bits of the mantissa of a float64
LN2 = 0.6931471805599453


def fill_normals(out: Array, words: Array, scratch: Array) -> None:
    """Fill `out` with the standard normals of as many words.

    A word's highest bit is the sign, and the others, as a number a, the size: a share of
    (a + 1/2) 2^-31 of all normals are smaller.
    """
    xp = namespace(out)
    words = words.view(xp.int32)
    sizes = words & SIZE
    out[:] = sizes
    out += 0.5
    out *= 2.0**-31
    tail = _fill_centre(out, scratch)
    beyond = convert(sizes[tail], "float64")
    beyond -= 2.0**31 - 0.5
    beyond *= -(2.0**-32)
    out[tail] = convert(-_tail(beyond), "float32")
    bits = out.view(xp.int32)
    bits |= words & SIGN


def fill_cut_normals(out: Array, words: Array, below: float, share: float, scratch: Array) -> None:
    """Fill `out` with normals of which `below` lie further down, and `share` are drawn from.

    A `below` near 0 is held to its last bit, down to 1e-300; so mirror what lies near 1.
    """
    xp = namespace(out)
    signed = words.view(xp.int32)
    wide = scratch[:2].reshape(-1).view(xp.float64)[: len(out)]
    out[:] = shares_of(signed, 2 * below - 1, 2 * share, wide)
    tail = _fill_centre(out, scratch)
    out[tail] = convert(_tail(shares_of(signed[tail], below, share)), "float32")


def shares_of(signed: Array, low: float, width: float, out: Array = None) -> Array:
    """Cut [low, low + width] into 2^32 parts: return the middle of each word's part, in float64."""
    shares = convert(signed, "float64", out)
    shares += 2.0**31 + 0.5
    shares *= width * 2.0**-32
    shares += low
    return shares


def _fill_centre(u: Array, scratch: Array) -> Array:
    """Turn each u = 2 p - 1 into its normal; return the places where it lies in a tail instead."""
    xp = namespace(u)
    y, numerator, denominator = scratch[:, : len(u)]
    xp.multiply(u, u, out=y)
    y -= SPLIT
    _polynomial(CENTRE_ABOVE, y, numerator)
    _polynomial(CENTRE_BELOW, y, denominator)
    numerator /= denominator
    numerator += CENTRE
    u *= numerator
    return xp.where(y > 0)[0]


def _tail(p: Array) -> Array:
    """Return the normals of shares in the tails, in float64.

    Its square root is not exactly rounded in torch (MKL's is used on the CPU), but that of a
    float32 is, once it is rounded to float32: no such root comes close to the middle of two. One
    step of Heron's makes it a float64.
    """
    xp = namespace(p)
    square = _log(xp.minimum(p, 1.0 - p)) * -2.0
    root = xp.sqrt(convert(convert(square, "float32"), "float64"))
    root = convert(convert(root, "float32"), "float64")
    s = (root + square / root) * 0.5
    z = s - _polynomial(TAIL_ABOVE, s) / _polynomial(TAIL_BELOW, s)
    return xp.copysign(z, p - 0.5)


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
