"""Losses: one number that says how far an output is from a target."""

from collections.abc import Callable
from typing import Literal

import torch.nn.functional as F  # noqa: N812 (as everybody calls it)
from torch import Tensor

from paramctl.doors import option
from paramctl.errors import UsageError
from paramctl.models.flow import blame

Loss = Literal["sum", "mse", "cross_entropy"]


def choose_loss(wanted: Loss | None, target: Tensor | None) -> Loss:
    """Return the loss that is asked for, else the one that fits the target."""
    if wanted:
        return wanted
    if target is None:
        return "sum"
    return "mse" if target.is_floating_point() else "cross_entropy"


def compute_loss(loss: Loss, output: Tensor, target: Tensor | None) -> Tensor:
    """Return the loss, of no dimensions.

    The sum is that of all outputs; the others are means, as in torch. Classes are along the
    output's second dimension, or along its last where the target has the shape of the rest.

    Raises:
        UsageError: the target does not fit the output; names both shapes.
    """
    if loss == "sum" or target is None:
        return output.sum()
    return _LOSSES[loss](output, target)


def go_backward(loss: Tensor) -> None:
    """Leave its gradients in the parameters that a loss depends on.

    Raises:
        UsageError: there are none, or the model's own operations refuse.
        LimitError: there is no memory for them.
    """
    if not loss.requires_grad:
        raise UsageError("the output depends on no parameter, so there are no gradients")
    if loss.is_complex():
        raise UsageError("the output is complex: there is no loss of it")
    try:
        loss.backward()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise blame(error, "the model's backward") from error


def _mse(output: Tensor, target: Tensor) -> Tensor:
    if output.shape != target.shape:
        raise _misfit(output, target)
    return F.mse_loss(output, target.to(output.dtype))


def _cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    if target.is_floating_point() or output.dim() < 2:
        raise UsageError("cross_entropy is of classes: whole numbers, and outputs for each")
    if output.shape[:-1] == target.shape:
        output = output.movedim(-1, 1)
    if (output.shape[0], *output.shape[2:]) != tuple(target.shape):
        raise _misfit(output, target)
    classes = output.shape[1]
    if target.numel() and not 0 <= int(target.min()) <= int(target.max()) < classes:
        raise UsageError(f"the target has a class that is none of {classes}, from 0 on")
    return F.cross_entropy(output, target)


def _misfit(output: Tensor, target: Tensor) -> UsageError:
    what = f"the target is of {list(target.shape)}, the output of {list(output.shape)}"
    return UsageError(what, hint=(option("target"), " takes an .npy file of a shape that fits"))


_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": _mse,
    "cross_entropy": _cross_entropy,
}
