"""Random state dicts: every dtype that can be saved, views of one another, all sorts of names."""

from collections import OrderedDict
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn

FLOATS = ("float16", "bfloat16", "float32", "float64")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint16", "uint32", "uint64")
SMALL_FLOATS = ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz")
OPAQUE = ("bits8", "bits16", "bits1x8", "bits2x4", "bits4x2", "float4_e2m1fn_x2")

TYPED = ("bool", "uint8", *SIGNED, *FLOATS, "complex64", "complex128")
"""Types that have a storage class of their own, as the legacy format needs."""

SAFETENSORS = ("bool", "uint8", *UNSIGNED, *SIGNED, *FLOATS, *SMALL_FLOATS, "complex64")
SAVED = (*TYPED, *UNSIGNED, *SMALL_FLOATS, "float8_e8m0fnu", "complex32", *OPAQUE)

WORDS = ["weight", "bias", "block 0", "0", "1", "π", "a\tb", "[red]x[/red]", "q/k", "h.3", "\u202e"]

View = Callable[[Tensor], Tensor]

VIEWS: tuple[View, ...] = (
    lambda t: t,
    lambda t: t.detach(),
    lambda t: t.flatten()[1:],
    lambda t: t.flatten()[:3],
    lambda t: t.flatten()[2:5],
    lambda t: t.flatten()[:0],
    lambda t: t.unsqueeze(0),
    lambda t: t.unsqueeze(0).expand(3, *t.shape),
    lambda t: t.T if t.dim() == 2 else t,
    lambda t: t.movedim(0, -1) if t.dim() else t,
    lambda t: t[..., ::2] if t.dim() else t,
    lambda t: t.select(0, -1) if t.dim() and t.shape[0] else t,
    lambda t: t.flatten().unfold(0, 2, 1) if t.numel() > 1 else t,
    lambda t: nn.Parameter(t.detach(), t.is_floating_point()),
)


def random_tensor(rng: np.random.Generator, dtype: str) -> Tensor:
    """Return random bytes as a tensor of up to three dimensions, some of them empty."""
    shape = tuple(rng.integers(0, 5, size=rng.integers(0, 4)).tolist())
    torch_dtype: torch.dtype = getattr(torch, dtype)
    count = int(np.prod(shape)) * torch_dtype.itemsize
    data = rng.integers(0, 2 if dtype == "bool" else 256, count)
    return torch.tensor(data.tolist(), dtype=torch.uint8).view(torch_dtype).reshape(shape)


def random_tensors(rng: np.random.Generator, dtypes: Iterable[str]) -> list[Tensor]:
    """Return up to nine tensors; about half of them are views of those before them."""
    choices = list(dtypes)
    tensors: list[Tensor] = []
    for _ in range(rng.integers(0, 10)):
        if tensors and rng.random() < 0.5:
            view = VIEWS[rng.integers(len(VIEWS))]
            tensors.append(view(tensors[rng.integers(len(tensors))]))
        else:
            tensors.append(random_tensor(rng, choices[rng.integers(len(choices))]))
    return tensors


def random_state(seed: int, dtypes: Iterable[str]) -> dict[str, Tensor]:
    """Return the state dict of a seed, an OrderedDict with `_metadata` or a plain dict."""
    rng = np.random.default_rng(seed)
    named = [(_random_name(rng, i), tensor) for i, tensor in enumerate(random_tensors(rng, dtypes))]
    if seed % 2:
        return dict(named)
    state = OrderedDict(named)
    state._metadata = {"": {"version": 1}}  # type: ignore[attr-defined]
    return state


def _random_name(rng: np.random.Generator, place: int) -> str:
    words = [WORDS[i] for i in rng.integers(len(WORDS), size=rng.integers(1, 4))]
    return ".".join([*words, str(place)])


def own_storages(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return copies that share nothing, as `safetensors.torch.save_file` demands."""
    return {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}
