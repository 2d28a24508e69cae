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
    "moving_mean": Role.RUNNING_MEAN,  # Keras's names
    "moving_variance": Role.RUNNING_VAR,
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
_NO_WEIGHT = re.compile(r"bias|mask|original0|weight_g|^(?:alpha|beta|gamma|scale)$")
"""Of attention; the sizes of weight norm; vectors of Keras's and Flax's that may have more axes."""

_TABLE = re.compile(r"embeddings?")  # of Keras and Flax
_NORM_WEIGHT = re.compile(r"weight|gamma|scale|g")
_BIAS = re.compile(r"bias|^b(?=\d|_|$)|^beta$", re.IGNORECASE)


def kind_of(target: Target) -> Kind:
    """Return the family of the layer that a parameter belongs to."""
    return _kind_of_class(target.layer) or _kind_by_names(target)


def role_of(target: Target) -> Role:
    """Return what a parameter is for; unknown where its name and shape do not tell."""
    if target.leaf in _STATISTICS:
        return _STATISTICS[target.leaf]
    if "float" not in target.dtype or not target.shape:
        return Role.UNKNOWN
    return _role_of_matrix(target) or _role_of_vector(target)


def _role_of_matrix(target: Target) -> Role | None:
    leaf, rank = target.leaf, len(target.shape)
    if rank == 2 and _TABLE.fullmatch(leaf):
        return Role.EMBEDDING
    if rank == 1 or not _WEIGHT.search(leaf) or _kind_of_class(target.layer) is Kind.NORM:
        return None
    return Role.EMBEDDING if kind_of(target) is Kind.EMBEDDING else Role.WEIGHT


def _role_of_vector(target: Target) -> Role:
    """Tell a bias or the weight of a norm, which may have more axes: those of heads, of a picture.

    Beside a kernel of Keras or Flax a bias is that of its outputs, however they are laid out.
    """
    if _BIAS.search(target.leaf):
        is_flat = len(target.shape) == 1 or "kernel" in target.siblings
        return Role.BIAS if is_flat or kind_of(target) is Kind.NORM else Role.UNKNOWN
    is_norm = _NORM_WEIGHT.fullmatch(target.leaf) and kind_of(target) is Kind.NORM
    return Role.NORM_WEIGHT if is_norm else Role.UNKNOWN


def may_be_weight(target: Target) -> bool:
    """Whether a parameter of unknown role may be a weight: a matrix that is not named otherwise.

    What Keras names otherwise is none.
    """
    is_other = target.variable or _NO_WEIGHT.search(target.leaf)
    return len(target.shape) >= 2 and not is_other


@cache
def _kind_of_class(layer: str) -> Kind | None:
    name = layer.rpartition(".")[2]
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
        beside = target.siblings
        # a class of PyTorch's with a vector and a bias is a norm, as one of Keras's with these two
        is_norm = (weight and "bias" in beside) or ("gamma" in beside and "beta" in beside)
        return Kind.NORM if is_norm or _NORM.search(target.parent) else Kind.UNKNOWN
    if len(weight) == 2 and _EMBEDDING.search(target.parent):
        return Kind.EMBEDDING
    return Kind.LINEAR if len(weight) <= 5 else Kind.UNKNOWN


def weight_shape(target: Target) -> tuple[int, ...]:
    """Return the shape of the layer's `weight`, () where it has none that is known."""
    return target.shape if target.leaf == "weight" else target.siblings.get("weight", ())
