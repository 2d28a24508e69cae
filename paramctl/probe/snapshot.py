"""A checkpoint of what a module holds now: its values, or its gradients."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from paramctl.checkpoint import Checkpoint, Entry, Storage
from paramctl.edits.provenance import forget_draws
from paramctl.probe.gradients import Parameter
from paramctl.sources import BytesSource


def trained(checkpoint: Checkpoint, module: nn.Module) -> Checkpoint:
    """Return the checkpoint with the values that its module has now; ties are what they were."""
    tensors = module.state_dict(keep_vars=True)
    changed = {name for name, tensor in tensors.items() if tensor.requires_grad}
    return forget_draws(_with_tensors(checkpoint, tensors), changed)


def gradients_of(checkpoint: Checkpoint, parameters: list[Parameter]) -> Checkpoint:
    """Return the gradients, under the names of their parameters; those that have none are not."""
    tensors = {
        name: each.gradient
        for each in parameters
        if each.gradient is not None
        for name in each.names
    }
    entries = {name: entry for name, entry in checkpoint.entries.items() if name in tensors}
    aliases = {name: stored for name, stored in checkpoint.aliases.items() if name in tensors}
    bare = replace(checkpoint, entries=entries, aliases=aliases, metadata={}, overlaps={})
    return _with_tensors(bare, tensors)


def _with_tensors(checkpoint: Checkpoint, tensors: Mapping[str, Tensor]) -> Checkpoint:
    entries: dict[str, Entry] = {}
    for name, entry in checkpoint.entries.items():
        stored = checkpoint.aliases.get(name, name)
        if stored not in entries:
            entries[stored] = _in_memory(checkpoint.entries[stored], tensors[stored])
        entries[name] = entries[stored]._replace(name=name, kind=entry.kind)
    in_order = {name: entries[name] for name in checkpoint.entries}
    return replace(checkpoint, entries=in_order)


def _in_memory(entry: Entry, tensor: Tensor) -> Entry:
    plain = tensor.detach().cpu().contiguous()
    data = plain.reshape(-1).view(torch.uint8).numpy().tobytes()
    storage = Storage(BytesSource(data, entry.name), 0, len(data))
    return entry._replace(storage=storage, offset=0, strides=None, layout="strided")
