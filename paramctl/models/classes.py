"""The classes of torch.nn that a spec can name, and what each is made with."""

import inspect
import typing
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Literal

from torch import nn

from paramctl.documents import error_at
from paramctl.expressions.quoting import closest
from paramctl.models import annotations
from paramctl.models.blocks import ADAPTED
from paramctl.models.spec import Argument, Layer

NO_LAYERS = {
    **dict.fromkeys(
        ("Module", "Container", "DataParallel", "RNNBase", "RNNCellBase"), "is no layer"
    ),
    **dict.fromkeys(("Sequential", "ModuleList", "ModuleDict"), "is written layers: [...]"),
    **dict.fromkeys(("ParameterList", "ParameterDict"), "holds parameters of no layer"),
    **dict.fromkeys(
        ("TransformerEncoder", "TransformerDecoder"), "is written repeat: N, and the layer"
    ),
    **dict.fromkeys(
        ("Transformer", "TransformerDecoderLayer", "Bilinear", "CosineSimilarity"),
        "takes two inputs, a layer of a spec takes one",
    ),
    **dict.fromkeys(
        ("PairwiseDistance", "GRUCell", "LSTMCell", "RNNCell", "MaxUnpool1d", "MaxUnpool2d"),
        "takes two inputs, a layer of a spec takes one",
    ),
    "MaxUnpool3d": "takes two inputs, a layer of a spec takes one",
    "AdaptiveLogSoftmaxWithLoss": "is a loss, no layer",
}
"""Modules of torch.nn that no layer can be -> why."""

SIZES = frozenset(
    (
        *("in_features", "out_features", "in_channels", "out_channels", "num_features"),
        *("num_embeddings", "embedding_dim", "input_size", "hidden_size", "num_layers"),
        *("embed_dim", "num_heads", "kdim", "vdim", "d_model", "nhead", "dim_feedforward"),
        *("kernel_size", "stride", "dilation", "groups", "num_groups", "num_channels", "size"),
        *("normalized_shape", "num_parameters", "upscale_factor", "downscale_factor"),
    )
)
"""Parameters whose numbers are above 0."""

_HIDDEN = (
    *("self", "device", "dtype", "process_group"),
    *("min_value", "max_value"),  # deprecated names of Hardtanh's
    "return_indices",  # with them a layer gives two tensors
    "init",  # of PReLU: values are the schemes'
)
_HIDDEN_OF_RECURRENT = (*_HIDDEN, "mode")  # the class says it
_ANY = inspect.Parameter.empty


def find_class(layer: Layer) -> type[nn.Module]:
    """Return the class that a layer names.

    Raises:
        UsageError: torch.nn has none of this name, or none that could be a layer; says where.
    """
    name = layer.class_name
    if name in NO_LAYERS:
        raise error_at(layer.node, f"'{name}' {NO_LAYERS[name]}")
    if name not in class_names():
        known = {"a loss, no layer": name.endswith("Loss"), "lazy": name.startswith("Lazy")}
        why = next((why for why, is_so in known.items() if is_so and hasattr(nn, name)), "")
        if why:
            raise error_at(layer.node, f"'{name}' is {why}", hint="a spec says every size")
        raise error_at(layer.node, f"torch.nn has no '{name}'", hint=closest(name, class_names()))
    return _class_of(name)


def _class_of(name: str) -> type[nn.Module]:
    found: type[nn.Module] = ADAPTED.get(name) or getattr(nn, name)
    return found


@cache
def class_names() -> tuple[str, ...]:
    """Return the names of all classes that a spec can name."""
    return tuple(
        name
        for name, value in sorted(vars(nn).items())
        if isinstance(value, type)
        and issubclass(value, nn.Module)
        and not name.startswith("Lazy")
        and not name.endswith(("Loss", "Loss2d"))
        and name not in NO_LAYERS
    )


@cache
def parameters_of(name: str) -> dict[str, inspect.Parameter]:
    """Return what a class is made with, in order, each with its annotation resolved."""
    found: dict[str, inspect.Parameter] = {}
    hidden = _HIDDEN_OF_RECURRENT if issubclass(_class_of(name), nn.RNNBase) else _HIDDEN
    for each in _initializers(_class_of(name)):
        hints = typing.get_type_hints(each)
        for key, parameter in inspect.signature(each).parameters.items():
            is_named = parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            if is_named and key not in hidden and not key.startswith("_"):
                hint = hints.get(key, _guess(parameter))
                found.setdefault(key, parameter.replace(annotation=hint))
    return found


def bind(layer: Layer) -> dict[str, Any]:
    """Return a layer's arguments by name, checked against the class's parameters.

    Raises:
        UsageError: one is not known, missing or of another type, or two are for one; says where.
    """
    parameters = parameters_of(layer.class_name)
    positional = [name for name, each in parameters.items() if each.kind is not each.KEYWORD_ONLY]
    bound: dict[str, Any] = {}
    for place, argument in enumerate(layer.arguments):
        if not argument.name and place >= len(positional):
            what = f"{layer.class_name} takes {len(positional)} arguments"
            raise error_at(argument.node, what, hint=describe(layer.class_name))
        name = argument.name or positional[place]
        if name not in parameters:
            what = f"{layer.class_name} has no '{name}'"
            raise error_at(
                argument.node, what, hint=closest(name, parameters) if parameters else ""
            )
        _check(layer, name, argument, parameters[name])
        bound[name] = argument.value
    for name, parameter in parameters.items():
        if parameter.default is _ANY and name not in bound:
            raise error_at(
                layer.node, f"{layer.class_name} needs {name}", hint=describe(layer.class_name)
            )
    return bound


def describe(class_name: str) -> str:
    """Return what a class is made with, as Python writes it: `Linear(in_features, bias=True)`."""
    texts = [
        name if each.default is _ANY else f"{name}={_plain(each.default)}"
        for name, each in parameters_of(class_name).items()
    ]
    return f"{class_name}({', '.join(texts)})"


def _plain(default: Any) -> str:
    return default.__name__ if callable(default) else repr(default)


def _initializers(cls: type[nn.Module]) -> Iterator[Callable[..., None]]:
    """Yield what takes a class's arguments: of recurrent layers and our own also the base's."""
    if issubclass(cls, nn.RNNBase):
        yield nn.RNNBase.__init__
        if issubclass(cls, nn.RNN):
            yield _rnn
        return
    if ADAPTED.get(cls.__name__) is cls and cls.__base__:
        yield _own(cls.__base__)
    yield _own(cls)


def _own(cls: type[nn.Module]) -> Callable[..., None]:
    initializer: Callable[..., None] = getattr(cls, "__init__")  # noqa: B009 (mypy forbids the dot)
    return initializer


def _rnn(*, nonlinearity: Literal["tanh", "relu"] = "tanh") -> None:
    """What an RNN has beside what all recurrent layers have."""


def _guess(parameter: inspect.Parameter) -> Any:
    """Return the type of a parameter that says none: that of its default."""
    if parameter.default in (None, _ANY):
        return int | None if parameter.default is None else int
    return type(parameter.default)


def _check(layer: Layer, name: str, argument: Argument, parameter: inspect.Parameter) -> None:
    value = argument.value
    if not annotations.fits(value, parameter.annotation):
        wanted = annotations.describe(parameter.annotation)
        what = f"{name} of {layer.class_name} is {wanted}, not {annotations.spell(value)}"
        raise error_at(argument.node, what)
    if name in SIZES:
        for number in value if isinstance(value, tuple) else (value,):
            if number is not None and number < 1:
                what = f"{name} of {layer.class_name} is above 0, not {number}"
                raise error_at(argument.node, what)
