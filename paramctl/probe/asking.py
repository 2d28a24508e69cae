"""A probe from what is asked: a model gets its values, something goes in, a loss is derived."""

from typing import NamedTuple

import torch
from torch import nn

from paramctl.checkpoint import Checkpoint
from paramctl.edits.initialization import initialize, plan
from paramctl.edits.rules import rules_of_rest
from paramctl.errors import blaming
from paramctl.models.flow import check_spec
from paramctl.probe.gradients import Probe, probe
from paramctl.probe.inputs import draw_target, find_input, read_target
from paramctl.probe.losses import Loss, choose_loss
from paramctl.probe.network import build


class Question(NamedTuple):
    """What goes in, a shape or an .npy file, what should come out, an .npy file, and the loss.

    What is not said is drawn from the seed, or chosen to fit.
    """

    given: str = ""
    target: str = ""
    loss: Loss | None = None
    seed: int = 0


def fill(checkpoint: Checkpoint, seed: int, device: str) -> Checkpoint:
    """Give what has no values PyTorch's own.

    Raises:
        UsageError: the layers of a spec do not fit.
    """
    if not checkpoint.is_planned:
        return checkpoint
    check_spec(checkpoint)
    return initialize(checkpoint, plan(checkpoint, rules_of_rest(checkpoint)), seed, device)


def ask(checkpoint: Checkpoint, module: nn.Module, question: Question) -> Probe:
    """Run a module forward and backward.

    Raises:
        UsageError: what goes in, or should come out, does not fit.
    """
    seed = question.seed
    given = find_input(checkpoint, module, question.given, seed)
    target = read_target(question.target, module) if question.target else None
    loss = choose_loss(question.loss, target)
    if target is None and loss != "sum":
        target = draw_target(module, given, seed, classes=loss == "cross_entropy")
    return probe(module, given, target, loss)


def ask_alone(checkpoint: Checkpoint, question: Question, device: str) -> Probe:
    """Ask a model that is built for it, and leave the random numbers of a program as they are.

    Raises:
        UsageError: its layers are not known, or as `ask`.
    """
    devices = [device] if device.startswith("cuda") else []
    with blaming(checkpoint.file), torch.random.fork_rng(devices):
        checkpoint = fill(checkpoint, question.seed, device)
        module = build(checkpoint, device)
        torch.manual_seed(question.seed)  # for dropout
        return ask(checkpoint, module, question)
