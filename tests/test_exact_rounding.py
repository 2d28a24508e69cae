"""The operations that values are made of, held against correctly rounded results.

Numbers of every magnitude whose results float32 and float64 hold, subnormal ones among them.
"""

import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from devices import DEVICES, off, on

from paramctl.init.namespaces import namespace

COUNT = 1 << 20
OPERATORS: list[Callable[[Any, Any], Any]] = [
    operator.iadd,
    operator.isub,
    operator.imul,
    operator.itruediv,
]
SCALARS = [0.5, 0.1, -27.943207, 2.0**-24, 1e-42, 0.02]


def random_floats(seed: int, bits: int, low: int, high: int, count: int = COUNT) -> Any:
    """Return floats of random mantissas and signs, with exponents from `low` to `high`."""
    generator = np.random.default_rng(seed)
    mantissas = generator.integers(1 << bits, 2 << bits, count) * generator.choice([-1, 1], count)
    exponents = generator.integers(low - bits, high - bits, count)
    kind = {23: np.float32, 52: np.float64}[bits]
    return np.ldexp(mantissas.astype(np.float64), exponents).astype(kind)


def assert_nearest(exact: Any, rounded: Any) -> None:
    """Check float32 against float64 by distances, which float64 holds: no other is closer.

    A sum, product, quotient or root of float32 in float64 rounds to the right float32, also where
    it is not exact itself (Figueroa 1995, "When is double rounding innocuous?").
    """
    assert rounded.dtype == np.float32
    down, up = (np.nextafter(rounded, np.float32(end)) for end in (-np.inf, np.inf))
    error, below, above = (abs(exact - value.astype(float)) for value in (rounded, down, up))
    even = rounded.view(np.int32) % 2 == 0
    assert np.all((error < below) | (error == below) & even)
    assert np.all((error < above) | (error == above) & even)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("function", OPERATORS)
def test_float32_operators_round_to_nearest_even(function: Any, device: str) -> None:
    left = random_floats(1, 23, -140, 60)
    right = random_floats(2, 23, *((-140, 60) if function in OPERATORS[:2] else (-60, 60)))
    result = off(function(on(device, left), on(device, right)))
    assert_nearest(function(left.astype(float), right.astype(float)), result)
    tiny = np.abs(result) < np.finfo(np.float32).tiny
    assert np.count_nonzero(tiny & (result != 0)) > COUNT // 1000


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scalar", SCALARS)
@pytest.mark.parametrize("function", OPERATORS[:3])
def test_a_python_number_counts_as_the_nearest_float32(
    function: Any, scalar: float, device: str
) -> None:
    left = random_floats(3, 23, -140, 60, COUNT // 8)
    result = off(function(on(device, left), scalar))
    assert_nearest(function(left.astype(float), float(np.float32(scalar))), result)


@pytest.mark.parametrize("device", DEVICES)
def test_conversions_round_to_nearest_even(device: str) -> None:
    integers = np.random.default_rng(4).integers(-(2**31), 2**31, COUNT, dtype=np.int32)
    integers[: 1 << 16] >>= np.arange(1 << 16) % 32
    floats = random_floats(5, 52, -150, 120)
    for exact in (integers, floats):
        into = on(device, np.empty(COUNT, np.float32))
        into[:] = on(device, exact)
        assert_nearest(exact.astype(float), off(into))


@pytest.mark.parametrize("device", DEVICES)
def test_integers_below_2_53_become_float64_as_they_are(device: str) -> None:
    exact = np.random.default_rng(6).integers(-(2**53), 2**53, COUNT)
    into = on(device, np.empty(COUNT))
    into[:] = on(device, exact)
    assert np.array_equal(off(into).astype(np.int64), exact)


@pytest.mark.parametrize("device", DEVICES)
def test_the_root_of_a_float32_by_way_of_float64_is_exactly_rounded(device: str) -> None:
    exact = np.abs(random_floats(7, 23, -20, 20))
    root = on(device, np.empty(COUNT, np.float32))
    root[:] = namespace(root).sqrt(on(device, exact.astype(float)))
    wide = off(root).astype(float)
    half = np.spacing(off(root)).astype(float) / 2
    assert np.all((wide - half) ** 2 < exact)  # the middles have 25 bits: float64 holds the squares
    assert np.all(exact < (wide + half) ** 2)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("function", OPERATORS)
def test_float64_operators_round_to_nearest_even(function: Any, device: str) -> None:
    left = random_floats(8, 52, -1060, 400)
    right = random_floats(9, 52, -30, 30)
    result = off(function(on(device, left), on(device, right)))
    assert np.array_equal(result, function(left.copy(), right))
    exact = {"iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "truediv"}
    fraction = getattr(operator, exact[function.__name__])
    for a, b, c in zip(left[:5000], right[:5000], result[:5000], strict=True):
        assert float(fraction(Fraction(float(a)), Fraction(float(b)))) == c
