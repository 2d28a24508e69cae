"""Specs for tests, and what is read from them."""

import torch
from torch import Tensor, nn

from paramctl.checkpoint import Checkpoint
from paramctl.edits.initialization import initialize, plan
from paramctl.edits.rules import rules_of_scheme
from paramctl.formats import read_checkpoint
from paramctl.probe.network import build
from paramctl.sources import BytesSource


def described(text: str | bytes, name: str = "spec.yaml") -> Checkpoint:
    """Read a spec."""
    data = text.encode() if isinstance(text, str) else text
    return read_checkpoint(BytesSource(data, name))


def built(text: str) -> nn.Module:
    """Build a spec's module, with PyTorch's own values."""
    make = described(text).build
    assert make is not None
    torch.manual_seed(0)
    module = make("cpu")
    assert isinstance(module, nn.Module)
    return module.eval()


def filled(text: str) -> Checkpoint:
    """Read a spec and draw all its values, as `init` does without a scheme."""
    checkpoint = described(text)
    return initialize(checkpoint, plan(checkpoint, rules_of_scheme("default", [])), 0)


def tied(text: str) -> nn.Module:
    """Build a spec's module as `probe` does: with the values of `filled`, and with its ties."""
    return build(filled(text), "cpu").train()


def with_values_of(net: nn.Module, other: nn.Module) -> nn.Module:
    """Give a net another's values, name by name."""
    net.load_state_dict(other.state_dict(), strict=True)
    return net.eval()


def forward(module: nn.Module, x: Tensor) -> Tensor:
    """Run a module without gradients."""
    with torch.no_grad():
        output: Tensor = module(x)
    return output
