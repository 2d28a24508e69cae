"""What PyTorch's own layers do to their parameters when they are made."""

from collections.abc import Callable, Mapping
from math import prod, sqrt

from paramctl.init.distributions import Constant, Distribution, Normal, Uniform
from paramctl.init.roles import USUAL, Kind, Role, kind_of, role_of, weight_shape
from paramctl.init.scheme import scheme
from paramctl.init.schemes.scaled import kaiming_uniform, xavier_normal, xavier_uniform
from paramctl.init.targets import Target


@scheme(
    formula="as in the layer's reset_parameters",
    source="the classes in torch.nn",
    mean="that of the layer's distribution",
    std="that of the layer's distribution",
)
def default(target: Target) -> Distribution:
    """What PyTorch's own layer does when it is made.

    Linear, convolution    kaiming_uniform(a=sqrt(5)), which is U(-b, b) with b = 1 / sqrt(fan_in)
                           of the weight's second size, also for transposed ones; bias: U(-b, b)
    Bilinear               U(-b, b), b = 1 / sqrt of the weight's second size, also the bias
    RNN, LSTM, GRU         U(-b, b), b = 1 / sqrt(hidden_size), also the biases
    Embedding              N(0, 1)
    norms                  weight 1, bias 0, running mean 0, running variance 1
    MultiheadAttention     xavier_uniform, biases 0; bias_k and bias_v xavier_normal
    PReLU                  0.25
    GPT-2's Conv1D         N(0, 0.02^2), bias 0

    The layer is known by its class, or else told from names and shapes. A parameter of which
    nobody can tell is an error that names it.
    """
    role, kind = role_of(target), kind_of(target)
    if role in USUAL and (role is not Role.BIAS or kind in _WITHOUT_BIAS):
        return Constant(USUAL[role])
    rule = _RULES.get(kind) if "float" in target.dtype else None
    distribution = rule(target) if rule else None
    if distribution is None:
        raise target.error("is not known from PyTorch's layers", hint="name a scheme for it")
    return distribution


def _linear(target: Target) -> Distribution | None:
    """The second size of the weight counts, also where it is transposed; the bias has its bound."""
    weight = weight_shape(target)
    if len(weight) < 2 or target.leaf not in ("weight", "bias"):
        return None
    first, second, *receptive = weight
    fan = (first if target.layout == "in_out" else second) * prod(receptive)
    if target.leaf == "bias":
        return _within(fan)
    return kaiming_uniform.function(target._replace(fans=(fan, fan)), a=sqrt(5))


def _conv1d(target: Target) -> Distribution | None:
    return Normal(0.0, 0.02) if target.leaf == "weight" else None


def _bilinear(target: Target) -> Distribution | None:
    weight = weight_shape(target)
    known = len(weight) == 3 and target.leaf in ("weight", "bias")
    return _within(weight[1]) if known else None


def _embedding(target: Target) -> Distribution | None:
    return Normal(0.0, 1.0) if target.leaf == "weight" else None


def _recurrent(target: Target) -> Distribution | None:
    """The hidden size is the last one of weight_hr, where an LSTM projects, else of weight_hh."""
    shapes = {**target.siblings, target.leaf: target.shape}
    for part in ("weight_hr", "weight_hh"):
        for leaf, shape in shapes.items():
            if leaf.startswith(part) and len(shape) == 2:
                return _within(shape[1])
    return None


def _attention(target: Target) -> Distribution | None:
    scheme = xavier_normal if target.leaf in ("bias_k", "bias_v") else xavier_uniform
    return scheme.function(target)


def _prelu(target: Target) -> Distribution | None:
    return Constant(0.25) if target.leaf == "weight" else None


def _within(fan: int) -> Distribution:
    bound = 1 / sqrt(fan) if fan else 0.0
    return Uniform(-bound, bound) if bound else Constant(0.0)


_WITHOUT_BIAS = (Kind.NORM, Kind.ATTENTION, Kind.ATTENTION_OUT, Kind.CONV1D)
_RULES: Mapping[Kind, Callable[[Target], Distribution | None]] = {
    Kind.LINEAR: _linear,
    Kind.CONV1D: _conv1d,
    Kind.BILINEAR: _bilinear,
    Kind.EMBEDDING: _embedding,
    Kind.RECURRENT: _recurrent,
    Kind.ATTENTION: _attention,
    Kind.ATTENTION_OUT: _linear,
    Kind.PRELU: _prelu,
}
