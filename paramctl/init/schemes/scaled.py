"""Schemes that keep the scale of what flows through a layer: their width follows from its fans."""

from collections.abc import Callable, Mapping
from math import sqrt

from paramctl.init.checks import one_of, positive
from paramctl.init.distributions import Constant, Distribution, Normal, TruncNormal, Uniform
from paramctl.init.scheme import scheme
from paramctl.init.targets import Target

GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": sqrt(2),
    "leaky_relu": sqrt(2 / (1 + 0.01**2)),
    "selu": 3 / 4,
}
"""How much a nonlinearity must be made up for: torch.nn.init.calculate_gain."""

FANS = ("fan_in", "fan_out")
CUT = 0.87962566103423978
"""The standard deviation of the standard normal distribution between -2 and 2."""

_GLOROT = "Glorot & Bengio 2010, Understanding the difficulty of training deep networks"
_HE = "He et al. 2015, Delving deep into rectifiers, arXiv:1502.01852"
_LECUN = "LeCun et al. 1998, Efficient BackProp; Klambauer et al. 2017, arXiv:1706.02515"


@scheme(
    aliases=("xavier", "glorot", "glorot_uniform"),
    formula="U(-a, a), a = gain sqrt(6 / (fan_in + fan_out))",
    source=_GLOROT,
    std="gain * sqrt(2 / (fan_in + fan_out))",
)
def xavier_uniform(target: Target, *, gain: float | str = 1.0) -> Distribution:
    """Keep the variance of activations and of gradients, as far as both can be kept.

    The gain is a number or a nonlinearity: "tanh", "relu", "selu", ...
    """
    return _uniform(gain_of(gain) * _root(2, target.fan_in + target.fan_out))


@scheme(
    aliases=("glorot_normal",),
    formula="N(0, std^2)",
    source=_GLOROT,
    std="gain * sqrt(2 / (fan_in + fan_out))",
)
def xavier_normal(target: Target, *, gain: float | str = 1.0) -> Distribution:
    """Keep the variance of activations and of gradients, as far as both can be kept.

    The gain is a number or a nonlinearity: "tanh", "relu", "selu", ...
    """
    return Normal(0.0, gain_of(gain) * _root(2, target.fan_in + target.fan_out))


@scheme(
    aliases=("kaiming", "he", "he_uniform"),
    formula="U(-b, b), b = gain sqrt(3 / fan)",
    source=_HE,
    std="gain / sqrt(fan)",
)
def kaiming_uniform(
    target: Target, *, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Distribution:
    """Keep the variance of activations ("fan_in") or of gradients ("fan_out").

    The gain is that of the nonlinearity: sqrt(2) for "relu", sqrt(2 / (1 + a^2)) for "leaky_relu".
    """
    return _uniform(_kaiming_std(target, a, mode, nonlinearity))


@scheme(
    aliases=("he_normal",),
    formula="N(0, std^2)",
    source=_HE,
    std="gain / sqrt(fan)",
)
def kaiming_normal(
    target: Target, *, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Distribution:
    """Keep the variance of activations ("fan_in") or of gradients ("fan_out").

    The gain is that of the nonlinearity: sqrt(2) for "relu", sqrt(2 / (1 + a^2)) for "leaky_relu".
    """
    return Normal(0.0, _kaiming_std(target, a, mode, nonlinearity))


@scheme(formula="U(-a, a), a = sqrt(3 / fan_in)", source=_LECUN, std="sqrt(1 / fan_in)")
def lecun_uniform(target: Target) -> Distribution:
    """Keep the variance of activations where the nonlinearity is the identity near 0, or selu."""
    return _uniform(_root(1, target.fan_in))


@scheme(
    formula="N(0, s^2) between -2 s and 2 s, s = std / 0.8796",
    source=_LECUN,
    std="sqrt(1 / fan_in)",
)
def lecun_normal(target: Target) -> Distribution:
    """Keep the variance of activations where the nonlinearity is the identity near 0, or selu.

    Truncated as in JAX and Keras.
    """
    return _truncated(_root(1, target.fan_in))


@scheme(
    formula="N(0, s^2) between -2 s and 2 s, s = std / 0.8796",
    source="jax.nn.initializers.variance_scaling, keras.initializers.VarianceScaling",
    std="sqrt(scale / fan)",
)
def variance_scaling(
    target: Target,
    *,
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "truncated_normal",
) -> Distribution:
    """Set the variance to scale / fan; "fan_avg" is the mean of "fan_in" and "fan_out".

    The distribution is "truncated_normal", "normal": N(0, std^2), or "uniform": U(-a, a) with
    a = sqrt(3) std.
    """
    positive("scale", scale)
    one_of("mode", mode, (*FANS, "fan_avg"))
    one_of("distribution", distribution, tuple(_SHAPES))
    if mode == "fan_avg":
        fan = (target.fan_in + target.fan_out) / 2
    else:
        fan = target.fan_in if mode == "fan_in" else target.fan_out
    return _SHAPES[distribution](_root(scale, fan))


def gain_of(gain: float | str, slope: float = 0.01) -> float:
    """Return a gain given as a number or as a nonlinearity; `slope` is that of leaky_relu.

    Raises:
        UsageError: it is not above 0, or no nonlinearity that is known.
    """
    if not isinstance(gain, str):
        positive("gain", gain)
        return gain
    one_of("nonlinearity", gain, tuple(GAINS), "gain")
    return sqrt(2 / (1 + slope**2)) if gain == "leaky_relu" else GAINS[gain]


def _kaiming_std(target: Target, a: float, mode: str, nonlinearity: str) -> float:
    gain = gain_of(nonlinearity, a)
    one_of("mode", mode, FANS)
    fan = target.fan_in if mode == "fan_in" else target.fan_out
    return gain / sqrt(fan) if fan else 0.0


def _root(scale: float, fan: float) -> float:
    """Return sqrt(scale / fan), 0 for a layer without inputs."""
    return sqrt(scale / fan) if fan else 0.0


def _uniform(std: float) -> Distribution:
    bound = sqrt(3) * std
    return Uniform(-bound, bound) if bound else Constant(0.0)


def _truncated(std: float) -> Distribution:
    uncut = std / CUT
    return TruncNormal(0.0, uncut, -2 * uncut, 2 * uncut) if uncut else Constant(0.0)


_SHAPES: Mapping[str, Callable[[float], Distribution]] = {
    "truncated_normal": _truncated,
    "normal": lambda std: Normal(0.0, std),
    "uniform": _uniform,
}
