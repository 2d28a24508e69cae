"""The outputs of a model's layers while it runs, and the gradients that come back to them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from paramctl.models.flow import first_tensor
from paramctl.probe.statistics import Statistics, statistics_of

SATURATED = 0.05  # share of an activation's steepest slope: what is flatter is saturated
_FLAT: dict[type[nn.Module], Callable[[Any, Tensor], Tensor]] = {
    nn.Sigmoid: lambda _, y: 4 * y * (1 - y) < SATURATED,
    nn.Tanh: lambda _, y: 1 - y * y < SATURATED,
    nn.Softsign: lambda _, y: (1 - y.abs()) ** 2 < SATURATED,
    nn.Hardsigmoid: lambda _, y: (y <= 0) | (y >= 1),
    nn.ReLU6: lambda _, y: y >= 6,
    nn.Hardtanh: lambda layer, y: (y <= layer.min_val) | (y >= layer.max_val),
}
"""Activations that saturate -> where an output of theirs is flat."""


@dataclass
class Output:
    """What a layer gave in one call.

    `zeros` and `saturated` are shares of its values; None where the layer cannot saturate.
    `gradient` is the rms of the loss's gradient there, None where none came.
    """

    name: str
    layer: nn.Module
    shape: tuple[int, ...]
    values: Statistics
    zeros: float
    saturated: float | None
    gradient: float | None = None


@contextmanager
def watching(module: nn.Module) -> Iterator[list[Output]]:
    """Gather the outputs of layers in the order of their calls, and their gradients.

    Layers are the modules that have no others in them, and those with parameters of their own.
    """
    outputs: list[Output] = []
    hooks = [
        each.register_forward_hook(partial(_note, outputs, name))
        for name, each in module.named_modules()
        if not any(each.children()) or any(True for _ in each.parameters(recurse=False))
    ]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def _note(outputs: list[Output], name: str, layer: nn.Module, given: Any, output: Any) -> None:
    del given
    tensor = first_tensor(output)
    if tensor is None:
        return
    plain = tensor.detach()
    zeros = float((plain == 0).double().mean()) if plain.numel() else 0.0
    noted = Output(
        name, layer, tuple(plain.shape), statistics_of(plain), zeros, _saturated(layer, plain)
    )
    outputs.append(noted)
    if tensor.requires_grad:
        tensor.register_hook(partial(_note_gradient, noted))  # type: ignore[no-untyped-call]


def _note_gradient(output: Output, gradient: Tensor) -> None:
    output.gradient = statistics_of(gradient).rms


def _saturated(layer: nn.Module, output: Tensor) -> float | None:
    """Return the share of an activation's outputs that are flat; ReLU6 is a Hardtanh too."""
    is_flat = _FLAT.get(type(layer))
    if is_flat is None or not output.numel():
        return None
    return float(is_flat(layer, output.to(torch.float64)).double().mean())
