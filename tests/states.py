"""State dicts as checkpoints, by the bytes that torch.save writes, and entries as tensors."""

from collections.abc import Mapping
from io import BytesIO

import torch

from paramctl.arrays import raw
from paramctl.checkpoint import Checkpoint, Entry
from paramctl.formats import read_checkpoint
from paramctl.sources import BytesSource


def checkpoint_of(state: Mapping[str, torch.Tensor]) -> Checkpoint:
    """Return the checkpoint of a state dict that torch has saved."""
    file = BytesIO()
    torch.save(dict(state), file)
    return read_checkpoint(BytesSource(file.getvalue(), "state.pt"))


def tensor_of(entry: Entry) -> torch.Tensor:
    """Return an entry's values, every bit of them, as the tensor that they are of."""
    data = bytearray().join(raw(entry))
    dtype = getattr(torch, entry.dtype.name)
    return (
        torch.frombuffer(data, dtype=dtype).reshape(entry.shape)
        if data
        else torch.empty(entry.shape, dtype=dtype)
    )
