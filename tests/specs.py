"""Specs for tests, and what is read from them."""

import torch
from torch import Tensor, nn

from paramctl.checkpoint import Checkpoint
from paramctl.formats import read_checkpoint
from paramctl.sources import BytesSource


def described(text: str | bytes, name: str = "spec.yaml") -> Checkpoint:
    """Read a spec."""
    data = text.encode() if isinstance(text, str) else text
    return read_checkpoint(BytesSource(data, name))


def built(text: str) -> nn.Module:
    """Build a spec's module, with PyTorch's own values."""
    build = described(text).build
    assert build is not None
    torch.manual_seed(0)
    module = build("cpu")
    assert isinstance(module, nn.Module)
    return module.eval()


def with_values_of(net: nn.Module, other: nn.Module) -> nn.Module:
    """Give a net another's values, name by name."""
    net.load_state_dict(other.state_dict(), strict=True)
    return net.eval()


def forward(module: nn.Module, x: Tensor) -> Tensor:
    """Run a module without gradients."""
    with torch.no_grad():
        output: Tensor = module(x)
    return output
