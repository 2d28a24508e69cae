"""A few steps of training, and what they do to each parameter."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from paramctl.models.flow import blame, run
from paramctl.probe.gradients import named_parameters
from paramctl.probe.losses import Loss, compute_loss, go_backward
from paramctl.probe.uses import dense

Optimizer = Literal["sgd", "adam"]
RATES = {"sgd": 0.1, "adam": 0.001}  # where none is asked for


class Move(NamedTuple):
    """What a step did to a parameter.

    `norm` is the parameter's before the step, `gradient` its gradient's, None where none came,
    `update` the norm of what was added, as a share of `norm`.
    """

    name: str
    norm: float
    gradient: float | None
    update: float


class Step(NamedTuple):
    """A step of training: the loss before it, and what it did."""

    number: int
    loss: float
    moves: tuple[Move, ...]


class Task(NamedTuple):
    """What is learned: all rows at every step."""

    given: Tensor
    target: Tensor | None
    loss: Loss


def train(
    module: nn.Module, task: Task, steps: int, optimizer: Optimizer, rate: float
) -> Iterator[Step]:
    """Train a module, and yield each step when it is done; its parameters change.

    Raises:
        UsageError: a layer does not fit what comes in, or the output does not fit the target.
    """
    parameters = named_parameters(module)
    tensors = [tensor for _, tensor in parameters]
    make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
    engine: torch.optim.Optimizer = make(tensors, lr=rate)
    for number in range(1, steps + 1):
        engine.zero_grad()
        loss = compute_loss(task.loss, run(module, task.given), task.target)
        go_backward(loss)
        before = [tensor.detach().clone() for tensor in tensors]
        try:
            engine.step()
        except RuntimeError as error:  # such as of Adam, where a gradient is sparse
            raise blame(error, f"the optimizer {optimizer}") from error
        moves = tuple(
            _move(names[0], old, tensor)
            for (names, tensor), old in zip(parameters, before, strict=True)
        )
        yield Step(number, float(loss.detach()), moves)


def _move(name: str, old: Tensor, new: Tensor) -> Move:
    norm = float(old.double().norm())
    gradient = None if new.grad is None else float(dense(new.grad).double().norm())
    change = float((new.detach().double() - old.double()).norm())
    return Move(name, norm, gradient, change / norm if norm else change)
