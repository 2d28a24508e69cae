"""From a spec to a module of torch, and to a checkpoint that has no values yet."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn

from paramctl.checkpoint import Checkpoint
from paramctl.documents import error_at
from paramctl.errors import LimitError
from paramctl.models import blocks
from paramctl.models.classes import bind, find_class
from paramctl.models.modules import checkpoint_of, making
from paramctl.models.spec import KEY, Chain, Layer, Parallel, Part, Place, Positions, Spec
from paramctl.models.ties import tie_places


def checkpoint_of_spec(spec: Spec, file: str) -> Checkpoint:
    """Return the parameters of a spec's model, without values; builds it on no device.

    Raises:
        UsageError: a layer cannot be made; says at which line and column.
        LimitError: a layer is larger than any tensor.
    """
    build = partial(build_spec, spec)
    checkpoint = checkpoint_of(build("meta"), file, "spec", build)
    checkpoint.metadata[KEY] = spec.text
    tie_places(checkpoint, spec)
    return checkpoint


def build_spec(spec: Spec, device: str) -> nn.Module:
    """Return the module that a spec describes, with PyTorch's own values.

    Every place has a module of its own: which of them are one, the checkpoint's ties say.

    Raises:
        UsageError: a layer cannot be made; says at which line and column.
        LimitError: a layer is larger than any tensor.
    """
    with making(device), _dtype(spec.dtype):
        return _build(spec.root)


@contextmanager
def _dtype(name: str) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, name))
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _build(part: Part) -> nn.Module:
    match part:
        case Layer():
            return _build_layer(part)
        case Chain(shortcut=shortcut, is_residual=is_residual):
            chain = _add_all(blocks.Residual() if is_residual else nn.Sequential(), part.layers)
            if shortcut:
                chain.add_module("shortcut", _build(shortcut))
            return chain
        case Parallel(join=join, dim=dim):
            return _add_all(blocks.Parallel({}, join, dim), part.layers)
        case Positions():
            return _add_all(blocks.Positions(), part.layers)


def _add_all(module: nn.Module, places: tuple[Place, ...]) -> nn.Module:
    for place in places:
        try:
            module.add_module(place.name, _build(place.part))
        except KeyError as error:  # every module has something of this name
            what = f"no layer can be named '{place.name}'"
            raise error_at(place.node, what, hint="torch.nn.Module has it") from error
    return module


def _build_layer(layer: Layer) -> nn.Module:
    cls = find_class(layer)
    arguments = bind(layer)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as of a dropout that does nothing
            return cls(**arguments)
    except (TypeError, ValueError, RuntimeError, AssertionError, ArithmeticError) as error:
        what = str(error).partition("\n")[0] or "its arguments do not fit together"
        refused = error_at(layer.node, f"{layer.class_name}: {what}")
        if "overflow" in what:
            raise LimitError(refused.what, where=refused.where) from error
        raise refused from error
