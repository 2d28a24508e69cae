"""The names of Keras's variables, of which files of Keras 3 tell the numbers alone.

They call the members of a model's `layers` by their classes: `layers.dense_1.vars.0` is the kernel
of a `Dense`. What is called by an attribute (`encoder.fc.vars.0`) may be anything, unless the
file's config tells its class. Source: keras/src/saving/saving_lib.py, and `build` of the layers, of
Keras 3.15.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from paramctl.checkpoint import Checkpoint, Entry
from paramctl.dtypes import FLOATING

KERAS = ("keras", "hdf5", "sharded hdf5")  # formats of its files
UNTOLD = "?"
"""The name of a variable that may be one of several, or is of a layer changed otherwise."""

_NUMBERED = re.compile(r"(?P<layer>.*)\.vars\.\d+")
_BY_CLASS = ("layers", "cells")  # the lists that models, and cells one upon another, are made of
_KERNEL = (("kernel", "bias"), ("kernel",))
_CELL = (("kernel", "recurrent_kernel", "bias"), ("kernel", "recurrent_kernel"))
_SEPARABLE = ("depthwise_kernel", "pointwise_kernel")
_STATISTICS = ("moving_mean", "moving_variance")
_VARIABLES = {
    r"(?:einsum_)?dense|(?:depthwise_)?conv[123]d(?:_transpose)?": _KERNEL,
    r"(?:multi_head|grouped_query)_attention\._?(?:query|key|value|output)_dense": _KERNEL,
    r"separable_conv[12]d": ((*_SEPARABLE, "bias"), _SEPARABLE),
    r"(?:lstm|gru|simple_rnn|conv_lstm[123]d)\.cell": _CELL,
    r"bidirectional\.(?:forward|backward)_layer\.cell": _CELL,
    r"(?:lstm|gru|simple_rnn)_cell": _CELL,
    r"embedding": (("embeddings",),),
    r"p_re_lu": (("alpha",),),
    r"rms_normalization": (("scale",),),
    r"(?:layer|group)_normalization": (("gamma", "beta"),),
    r"batch_normalization": (
        ("gamma", "beta", *_STATISTICS),
        ("gamma", "beta", *_STATISTICS, "moving_stddev", "renorm_mean", "renorm_stddev"),
        (UNTOLD, *_STATISTICS),
        _STATISTICS,
    ),
}
"""A layer's class, and what is in it -> its variables in order; it may be without some."""


def name_variables(checkpoint: Checkpoint) -> dict[str, str]:
    """Return what Keras calls variables that have numbers, where their layer's class tells.

    Those of a layer of another number of variables than its class has, or of some that are no
    floats as of one that is quantized, are untold.
    """
    layers: dict[str, list[str]] = {}
    for name in checkpoint.entries:
        if ".vars." in name and (numbered := _NUMBERED.fullmatch(name)):
            layers.setdefault(numbered["layer"], []).append(name)
    return {
        name: variable
        for layer, names in layers.items()
        for name, variable in _pairs(layer, names, checkpoint)
    }


def is_numbered(entry: Entry) -> bool:
    """Whether an entry has a number for its name as a variable of Keras, and a weight's shape."""
    return len(entry.shape) > 1 and bool(_NUMBERED.fullmatch(entry.name))


def _pairs(layer: str, names: list[str], checkpoint: Checkpoint) -> Iterator[tuple[str, str]]:
    """Yield names with those that the class gives them; none where nobody knows the class."""
    known = _variables_of(layer, checkpoint.types)
    if not known:
        return
    wanted = [f"{layer}.vars.{number}" for number in range(len(names))]
    has_floats = all(checkpoint.entries[name].dtype.name in FLOATING for name in names)
    found = next((each for each in known if len(each) == len(names)), None)
    if found and has_floats and sorted(names) == wanted:  # less than ten
        yield from zip(wanted, found, strict=True)
    else:
        yield from ((name, UNTOLD) for name in names)


def _variables_of(layer: str, types: Mapping[str, str]) -> Sequence[tuple[str, ...]]:
    for path in (_path_of_class(layer), _to_snake_case(types.get(layer, ""))):
        for kind, variables in _VARIABLES.items():
            if re.fullmatch(kind, path):
                return variables
    return ()


def _path_of_class(layer: str) -> str:
    """Return what a layer is called by: the class of it, or of one above and the path from there.

    `layers.model.layers.lstm_1.cell` is `lstm.cell`.
    """
    parts = layer.split(".")
    places = [place for place, part in enumerate(parts[:-1]) if part in _BY_CLASS]
    if not places:
        return ""
    kind, *below = parts[places[-1] + 1 :]
    return ".".join([re.sub(r"_\d+$", "", kind), *below])


def _to_snake_case(name: str) -> str:
    """Return a class's name as Keras writes it in paths."""
    spaced = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()
