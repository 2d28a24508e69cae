"""The names of Keras's variables, of which files of Keras 3 tell the numbers alone.

They call the members of a model's `layers` by their classes: `layers.dense_1.vars.0` is the kernel
of a `Dense`. What is called by an attribute (`encoder.fc.vars.0`) may be anything. Source:
keras/src/saving/saving_lib.py, and `build` of the layers, of Keras 3.15.
"""

import re
from collections.abc import Iterator, Mapping

from paramctl.checkpoint import Entry
from paramctl.dtypes import FLOATING

KERAS = ("keras", "hdf5")  # formats of its files
BIAS = "bias"  # the last one, which a layer may be without
_NUMBERED = re.compile(r"(?P<layer>.*)\.vars\.\d+")
_LAYER = re.compile(r"(?:.*\.)?layers\.(?P<kind>[a-z\d_]+?)(?:_\d+)?(?P<part>\.[a-z_]+)?")
_VARIABLES = {
    r"(?:einsum_)?dense|(?:depthwise_)?conv[123]d(?:_transpose)?": ("kernel", BIAS),
    r"(?:multi_head|grouped_query)_attention\.(?:query|key|value|output)_dense": ("kernel", BIAS),
    r"separable_conv[12]d": ("depthwise_kernel", "pointwise_kernel", BIAS),
    r"(?:lstm|gru|simple_rnn|conv_lstm[123]d)\.cell": ("kernel", "recurrent_kernel", BIAS),
    r"embedding": ("embeddings",),
    r"(?:layer|group)_normalization": ("gamma", "beta"),
    r"batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
}


def name_variables(entries: Mapping[str, Entry]) -> dict[str, str]:
    """Return what Keras calls variables that have numbers, where their layer's class tells.

    A layer with another number of variables than its class has, or with some that are no floats as
    one that is quantized has, is passed by.
    """
    layers: dict[str, list[str]] = {}
    for name in entries:
        if ".vars." in name and (numbered := _NUMBERED.fullmatch(name)):
            layers.setdefault(numbered["layer"], []).append(name)
    return {
        name: variable
        for layer, names in layers.items()
        if all(entries[name].dtype.name in FLOATING for name in names)
        for name, variable in _pairs(layer, names)
    }


def is_numbered(entry: Entry) -> bool:
    """Whether an entry has a number for its name as a variable of Keras, and a weight's shape."""
    return len(entry.shape) > 1 and bool(_NUMBERED.fullmatch(entry.name))


def _pairs(layer: str, names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield names with those that the class gives them; none where they are not all there."""
    variables = _variables_of(layer)
    if len(names) == len(variables) - 1 and variables[-1] == BIAS:
        variables = variables[:-1]
    wanted = [f"{layer}.vars.{number}" for number in range(len(variables))]
    if sorted(names) == wanted:  # less than ten
        yield from zip(wanted, variables, strict=True)


def _variables_of(layer: str) -> tuple[str, ...]:
    found = _LAYER.fullmatch(layer)
    path = found["kind"] + (found["part"] or "") if found else ""
    return next((each for kind, each in _VARIABLES.items() if re.fullmatch(kind, path)), ())
