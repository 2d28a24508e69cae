"""What a parameter is for: told by its layer's class where the file knows it, else by names."""

import re
from enum import StrEnum
from functools import cache

from paramctl.init.targets import Target


class Role(StrEnum):
    """What a parameter does in its layer, whatever the layer."""

    WEIGHT = "weight"
    EMBEDDING = "embedding"
    BIAS = "bias"
    NORM_WEIGHT = "norm weight"
    RUNNING_MEAN = "running mean"
    RUNNING_VAR = "running variance"
    BATCHES = "number of batches"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """A family of layers whose parameters PyTorch resets alike."""

    LINEAR = "linear or convolution"
    CONV1D = "GPT-2's Conv1D"
    BILINEAR = "bilinear"
    EMBEDDING = "embedding"
    NORM = "norm"
    RECURRENT = "recurrent"
    ATTENTION = "attention"
    ATTENTION_OUT = "output of attention"
    PRELU = "prelu"
    UNKNOWN = "unknown"


USUAL = {
    Role.BIAS: 0.0,
    Role.NORM_WEIGHT: 1.0,
    Role.RUNNING_MEAN: 0.0,
    Role.RUNNING_VAR: 1.0,
    Role.BATCHES: 0.0,
}
"""What fills the parameters beside the weights when a scheme is asked for the whole model."""

_STATISTICS = {
    "running_mean": Role.RUNNING_MEAN,
    "running_var": Role.RUNNING_VAR,
    "num_batches_tracked": Role.BATCHES,
}
_CLASSES = {
    Kind.LINEAR: r"(?:Lazy)?(?:Linear|Conv(?:Transpose)?[123]d)",
    Kind.CONV1D: r"Conv1D",
    Kind.BILINEAR: r"Bilinear",
    Kind.EMBEDDING: r"Embedding(?:Bag)?",
    Kind.NORM: r".*(?:Layer|Group|Batch|Instance|RMS)Norm(?:[123]d)?",
    Kind.RECURRENT: r"(?:RNN|LSTM|GRU)(?:Cell)?",
    Kind.ATTENTION: r"MultiheadAttention",
    Kind.ATTENTION_OUT: r"NonDynamicallyQuantizableLinear",
    Kind.PRELU: r"PReLU",
}
_NORM = re.compile(r"norm|(?:^|_)(?:ln|bn|gn|rms)(?:_|\d|f?$)", re.IGNORECASE)
_EMBEDDING = re.compile(
    r"(?:^|_)(?:wte|wpe|emb|embe?d(?:ding)?s?)(?:_(?!out|proj)|\d|$)", re.IGNORECASE
)
_RECURRENT = re.compile(r"(?:weight|bias)_(?:ih|hh|hr)(?:_l\d+)?(?:_reverse)?")
_ATTENTION = re.compile(r"in_proj_(?:weight|bias)|[qkv]_proj_weight|bias_[kv]")
_WEIGHT = re.compile(r"(?:weight|kernel)(?!_[gu]$)|^w(?=\d|_|$)", re.IGNORECASE)
_NO_WEIGHT = re.compile(r"bias|mask|original0|weight_g")  # of attention; the sizes of weight norm
_NORM_WEIGHT = re.compile(r"weight|gamma|scale|g")
_BIAS = re.compile(r"bias|^b(?=\d|_|$)|^beta$", re.IGNORECASE)


def kind_of(target: Target) -> Kind:
    """Return the family of the layer that a parameter belongs to."""
    return _kind_of_class(target.layer.rpartition(".")[2]) or _kind_by_names(target)


def role_of(target: Target) -> Role:
    """Return what a parameter is for; unknown where its name and shape do not tell."""
    leaf, rank = target.leaf, len(target.shape)
    if leaf in _STATISTICS:
        return _STATISTICS[leaf]
    if "float" not in target.dtype:
        return Role.UNKNOWN
    if rank >= 2 and _WEIGHT.search(leaf):
        return Role.EMBEDDING if kind_of(target) is Kind.EMBEDDING else Role.WEIGHT
    if rank == 1 and _BIAS.search(leaf):
        return Role.BIAS
    if rank == 1 and _NORM_WEIGHT.fullmatch(leaf) and kind_of(target) is Kind.NORM:
        return Role.NORM_WEIGHT
    return Role.UNKNOWN


def may_be_weight(target: Target) -> bool:
    """Whether a parameter of unknown role may be a weight: a matrix that is not named otherwise."""
    return len(target.shape) >= 2 and not _NO_WEIGHT.search(target.leaf)


@cache
def _kind_of_class(name: str) -> Kind | None:
    return next((kind for kind, each in _CLASSES.items() if re.fullmatch(each, name)), None)


def _kind_by_names(target: Target) -> Kind:
    leaf = target.leaf
    if leaf in _STATISTICS or not _STATISTICS.keys().isdisjoint(target.siblings):
        return Kind.NORM
    if _RECURRENT.fullmatch(leaf):
        return Kind.RECURRENT
    if _ATTENTION.fullmatch(leaf):
        return Kind.ATTENTION
    weight = weight_shape(target)
    if len(weight) < 2:
        # a class of PyTorch's with a vector and a bias is a norm
        is_norm = _NORM.search(target.parent) or (weight and "bias" in target.siblings)
        return Kind.NORM if is_norm else Kind.UNKNOWN
    if len(weight) == 2 and _EMBEDDING.search(target.parent):
        return Kind.EMBEDDING
    return Kind.LINEAR if len(weight) <= 5 else Kind.UNKNOWN


def weight_shape(target: Target) -> tuple[int, ...]:
    """Return the shape of the layer's `weight`, () where it has none that is known."""
    return target.shape if target.leaf == "weight" else target.siblings.get("weight", ())
