"""The places where parameters are used: each call of a layer has a gradient of its own.

For the time of a call, the layer's parameters are views of themselves, one view for each call, so
that autograd keeps the calls' gradients apart and still adds them up in the parameter's.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

ELSEWHERE = "elsewhere"


class Use(NamedTuple):
    """A parameter's gradient from one place of its use; `place` is its name there."""

    place: str
    gradient: Tensor


class Uses:
    """The views that stood for parameters, in the order of the calls."""

    def __init__(self) -> None:
        self._views: dict[int, list[tuple[str, Tensor]]] = defaultdict(list)

    def add(self, name: str, parameter: Tensor) -> Tensor:
        """Return a view for a call."""
        view = parameter.view_as(parameter)
        view.retain_grad()
        self._views[id(parameter)].append((name, view))
        return view

    def of(self, parameter: Tensor) -> list[Use]:
        """Return the uses of a parameter that gave it a gradient, none where there is only one.

        What rounding does not explain of the difference between their sum and the gradient comes
        from what a model does with the parameter outside its layer's call, `elsewhere`.
        """
        known = [(name, v.grad) for name, v in self._views[id(parameter)] if v.grad is not None]
        if parameter.grad is None or not known:
            return []
        uses = [Use(place, dense(gradient)) for place, gradient in _number(known)]
        rest = dense(parameter.grad).to(torch.float64)
        for use in uses:
            rest -= use.gradient
        total = sum(float(use.gradient.double().norm()) for use in uses)
        rounding = torch.finfo(parameter.dtype).eps * len(uses) * total
        if float(rest.norm()) > rounding:
            uses.append(Use(ELSEWHERE, rest.to(parameter.dtype)))
        return uses if len(uses) > 1 else []


def dense(gradient: Tensor) -> Tensor:
    """Return a gradient with all its zeros: that of an embedding may be sparse."""
    return gradient.to_dense() if gradient.is_sparse else gradient


def _number(known: list[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    """Tell the calls of one layer apart: `linear.weight, call 2`."""
    calls, so_far = Counter(name for name, _ in known), Counter[str]()
    for name, gradient in known:
        so_far[name] += 1
        yield (name if calls[name] == 1 else f"{name}, call {so_far[name]}"), gradient


@contextmanager
def telling_apart(module: nn.Module) -> Iterator[Uses]:
    """Tell the uses of parameters apart while a module runs."""
    uses = Uses()
    kept: dict[int, list[dict[str, Any]]] = defaultdict(list)
    hooks = []
    for name, each in module.named_modules():
        if any(True for _ in each.parameters(recurse=False)):
            hooks.append(each.register_forward_pre_hook(partial(_enter, uses, kept, name)))
            hooks.append(each.register_forward_hook(partial(_leave, kept), always_call=True))
    try:
        yield uses
    finally:
        for hook in hooks:
            hook.remove()


def _enter(
    uses: Uses, kept: dict[int, list[dict[str, Any]]], name: str, layer: nn.Module, given: Any
) -> None:
    del given
    own: dict[str, Any] = layer._parameters  # noqa: SLF001 (views are no nn.Parameter)
    kept[id(layer)].append(dict(own))
    prefix = f"{name}." if name else ""
    for leaf, parameter in own.items():
        if parameter is not None and parameter.requires_grad:
            own[leaf] = uses.add(f"{prefix}{leaf}", parameter)


def _leave(
    kept: dict[int, list[dict[str, Any]]], layer: nn.Module, given: Any, output: Any
) -> None:
    del given, output
    if kept[id(layer)]:
        layer._parameters.update(kept[id(layer)].pop())  # noqa: SLF001 (as above)
