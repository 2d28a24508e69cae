"""The net of "Dive into Deep Learning", chapter 6.1.3, as a factory: code, and no file of values.

paramctl ls sample_models/fancy_mlp.py:fancy_mlp
"""

import torch
from torch import Tensor, nn


class FancyMLP(nn.Module):
    """A net with a constant weight, a layer that is used twice, and a loop."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rand_weight = torch.rand((width, width))  # no parameter: it is not trained
        self.linear = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map rows of `width` values to one number."""
        x = self.linear(x)
        x = torch.relu(x @ self.rand_weight + 1)
        x = self.linear(x)
        while x.abs().sum() > 1:
            x = x / 2
        return x.sum()


def fancy_mlp(width: int = 20) -> FancyMLP:
    """Return the net."""
    return FancyMLP(width)
