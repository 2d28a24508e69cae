"""Schemes that do not look at the parameter's shape."""

from paramctl.dtypes import BY_NAME, FLOATING
from paramctl.errors import ArgumentError
from paramctl.init.checks import at_least, below, positive
from paramctl.init.distributions import (
    FLOAT32_MAX,
    Constant,
    Distribution,
    Normal,
    TruncNormal,
    Uniform,
)
from paramctl.init.mixture import Mixture
from paramctl.init.scheme import scheme
from paramctl.init.targets import Target

ROUNDING = 1e-6  # by which weights may miss 1: 0.333333 is a third


@scheme(
    formula="U(low, high)",
    source="torch.nn.init.uniform_",
    mean="(low + high) / 2",
    std="(high - low) / sqrt(12)",
)
def uniform(_target: Target, *, low: float = 0.0, high: float = 1.0) -> Distribution:
    """Every number from low to high alike, high itself left out."""
    below("low", low, "high", high)
    if high - low > FLOAT32_MAX:
        raise ArgumentError("low and high are too far apart for float32", "low", "high")
    return Uniform(low, high)


@scheme(formula="N(mean, std^2)", source="torch.nn.init.normal_", mean="mean", std="std")
def normal(_target: Target, *, mean: float = 0.0, std: float = 1.0) -> Distribution:
    """The normal distribution."""
    at_least("std", std, 0)
    return Normal(mean, std)


@scheme(
    formula="N(mean, std^2) where it lies between a and b",
    source="torch.nn.init.trunc_normal_",
    mean="mean, if a and b are as far from it",
    std="less than std; 0.8796 std for a, b = mean -+ 2 std",
)
def trunc_normal(
    _target: Target, *, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> Distribution:
    """The normal distribution without what lies outside of a and b, which are absolute."""
    positive("std", std)
    below("a", a, "b", b)
    return TruncNormal(mean, std, a, b)


@scheme(formula="value", source="torch.nn.init.constant_", mean="value", std="0")
def constant(target: Target, *, value: float) -> Distribution:
    """One number everywhere."""
    if target.dtype in FLOATING:
        from paramctl.conversion import holds_number  # noqa: PLC0415 (loads numpy)

        if not holds_number(BY_NAME[target.dtype], value):
            raise target.error(f"is of {target.dtype}, which cannot hold {value:g}")
    return Constant(value)


@scheme(formula="0", source="torch.nn.init.zeros_", std="0")
def zeros(_target: Target) -> Distribution:
    """0 everywhere."""
    return Constant(0.0)


@scheme(formula="1", source="torch.nn.init.ones_", mean="1", std="0")
def ones(_target: Target) -> Distribution:
    """1 everywhere."""
    return Constant(1.0)


@scheme(
    formula="each element by the i-th scheme with probability w_i",
    mean="sum of w_i mean_i",
    std="square root of the sum of w_i (std_i^2 + mean_i^2), less mean^2",
)
def mixture(_target: Target, *parts: tuple[float, Distribution]) -> Distribution:
    """One of several schemes, drawn anew for every element.

    `mixture(1/4: uniform(5, 10), 1/2: zeros, 1/4: uniform(-10, -5))`; the weights add up to 1.
    """
    weights = [weight for weight, _ in parts]
    for place, weight in enumerate(weights, start=1):
        at_least(f"weight {place}", weight, 0)
    if abs(sum(weights) - 1) > ROUNDING:
        raise ArgumentError(f"the weights add up to {sum(weights):g}, not to 1")
    return Mixture(tuple(weights), tuple(part for _, part in parts))
