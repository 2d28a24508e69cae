"""The modules of a spec that torch.nn lacks, and those of it that need more than one input.

Each takes one tensor and gives one, so that a spec is a chain of them.
"""

import math
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn


class Residual(nn.Sequential):
    """What comes in, through `shortcut` where there is one, plus what the layers make of it."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum; both have the same shape."""
        output, kept = x, x
        for name, module in self.named_children():
            if name == "shortcut":
                kept = module(x)
            else:
                output = module(output)
        return kept + output


class Parallel(nn.ModuleDict):
    """What several modules make of the same, added or concatenated."""

    def __init__(self, modules: dict[str, nn.Module], join: str, dim: int) -> None:
        super().__init__(modules)
        self.join = join
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs, joined; broadcast where they are added."""
        outputs = [module(x) for module in self.values()]
        if self.join == "concatenate":
            return torch.cat(outputs, self.dim)
        total: Tensor = reduce(torch.add, outputs)
        return total

    def extra_repr(self) -> str:
        """Say how the outputs are joined."""
        return f"concatenate, dim={self.dim}" if self.join == "concatenate" else self.join


class Positions(nn.Sequential):
    """What its layers make of the positions 0 to n - 1, where `[batch, n, ...]` comes in."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `[n, ...]`."""
        places = torch.arange(x.shape[1], device=x.device)
        return reduce(lambda given, module: module(given), self, places)


class MultiheadAttention(nn.MultiheadAttention):
    """Self-attention: queries, keys and values are all of what comes in."""

    def __init__(self, *args: Any, is_causal: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_causal = is_causal

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Return the attention's output, `[batch, n, embed_dim]` if `batch_first`."""
        mask = causal_mask(x, self.batch_first) if self.is_causal else None
        output: Tensor
        output, _ = super().forward(x, x, x, need_weights=False, attn_mask=mask)
        return output


class TransformerEncoderLayer(nn.TransformerEncoderLayer):
    """A block of a transformer, which may be a decoder's without cross-attention."""

    def __init__(self, *args: Any, is_causal: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_causal = is_causal

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Return `[batch, n, d_model]` if `batch_first`."""
        first = self.self_attn.batch_first
        return super().forward(x, causal_mask(x, first) if self.is_causal else None)


def causal_mask(x: Tensor, batch_first: bool) -> Tensor:  # noqa: FBT001 (torch's own word)
    """Return what hides from each position those after it: `[n, n]`, 0 or minus infinity."""
    size = x.shape[1 if batch_first and x.dim() > 2 else 0]
    return torch.full((size, size), -math.inf, dtype=x.dtype, device=x.device).triu(1)


class RNN(nn.RNN):
    """A recurrent layer of which the states at the end are left out."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Return the output of every step."""
        return super().forward(x)[0]


class LSTM(nn.LSTM):
    """The same with long short-term memory."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Return the output of every step."""
        return super().forward(x)[0]


class GRU(nn.GRU):
    """The same with gated units."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Return the output of every step."""
        return super().forward(x)[0]


ADAPTED: dict[str, type[nn.Module]] = {
    each.__name__: each for each in (MultiheadAttention, TransformerEncoderLayer, RNN, LSTM, GRU)
}
