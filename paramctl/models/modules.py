"""Modules of torch as checkpoints: names, shapes, classes and ties; no values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from paramctl.checkpoint import PLANNED, Checkpoint, Entry
from paramctl.dtypes import BY_NAME
from paramctl.errors import LimitError, UsageError

MAX_PARAMETERS = 1 << 50  # values of a model: a thousand times more than any has


class _Unfilled(TorchFunctionMode):
    """Leaves tensors on the meta device as they are: there is nothing to fill.

    Drawing there costs a second, in which torch imports what it would trace the draw with.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        target = args[0] if args else (kwargs or {}).get("tensor")
        is_fill = getattr(func, "__module__", "") == "torch.nn.init" or func in _FILLS
        if is_fill and isinstance(target, torch.Tensor) and target.is_meta:
            return target
        return func(*args, **(kwargs or {}))


_FILLS = tuple(
    getattr(torch.Tensor, f"{name}_")
    for name in ("normal", "uniform", "fill", "zero", "trunc_normal", "copy", "random")
    if hasattr(torch.Tensor, f"{name}_")
)


@contextmanager
def making(device: str) -> Iterator[None]:
    """Make modules on a device; on `meta` no value is drawn for them."""
    with ExitStack() as stack:
        stack.enter_context(torch.device(device))
        if device == "meta":
            stack.enter_context(_Unfilled())
        yield


def checkpoint_of(
    module: nn.Module, file: str, form: str, build: Callable[[str], nn.Module]
) -> Checkpoint:
    """Return the parameters and buffers that a module would save, in `state_dict`'s order.

    Names of one tensor are tied. None has values: the module may be on the meta device.

    Raises:
        LimitError: the module has more values than any model.
        UsageError: a module is lazy: it has no shapes yet.
    """
    checkpoint = Checkpoint(file, form, {}, build=build)
    first: dict[int, str] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        if is_lazy(tensor):
            raise UsageError(f"'{name}' has no shape before its module has run", hint="give sizes")
        is_parameter = isinstance(tensor, nn.Parameter)
        checkpoint.entries[name] = Entry(
            name,
            BY_NAME[str(tensor.dtype).removeprefix("torch.")],
            tuple(tensor.shape),
            None,
            kind="parameter" if is_parameter else "buffer",
            requires_grad=tensor.requires_grad,
            layout=PLANNED,
        )
        if first.setdefault(id(tensor), name) != name:
            checkpoint.aliases[name] = first[id(tensor)]
    if sum(entry.numel for entry in checkpoint.entries.values()) > MAX_PARAMETERS:
        raise LimitError("more than 2^50 parameters")
    checkpoint.types = {
        path: type(each).__name__ for path, each in module.named_modules(remove_duplicate=False)
    }
    return checkpoint
