"""A checkpoint of what a module holds now: its values, or its gradients."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from paramctl.checkpoint import Checkpoint, Entry, Storage
from paramctl.dtypes import BY_NAME
from paramctl.edits.provenance import forget_draws
from paramctl.probe.gradients import Parameter
from paramctl.sources import BytesSource


def trained(checkpoint: Checkpoint, module: nn.Module) -> Checkpoint:
    """Return the checkpoint with the values that its module has now, in the module's types.

    Names that are one tensor in the module are tied.
    """
    tensors = module.state_dict(keep_vars=True)
    names = [*(name for name in tensors if name not in checkpoint.aliases), *checkpoint.aliases]
    first: dict[int, str] = {}
    aliases = {
        name: first[id(tensors[name])]
        for name in names
        if first.setdefault(id(tensors[name]), name) != name
    }
    changed = {
        name
        for name, tensor in tensors.items()
        if tensor.requires_grad or not isinstance(tensor, nn.Parameter)
    }
    return forget_draws(_with_tensors(replace(checkpoint, aliases=aliases), tensors), changed)


def gradients_of(checkpoint: Checkpoint, parameters: list[Parameter]) -> Checkpoint:
    """Return the gradients, under the names of their parameters; those that have none are not."""
    tensors = {
        name: each.gradient
        for each in parameters
        if each.gradient is not None
        for name in each.names
    }
    entries = {name: entry for name, entry in checkpoint.entries.items() if name in tensors}
    aliases = {
        name: each.names[0]
        for each in parameters
        if each.names[0] in entries
        for name in each.names[1:]
    }
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
    dtype = BY_NAME[str(plain.dtype).removeprefix("torch.")]
    storage = Storage.whole(BytesSource(data, entry.name))
    return Entry(entry.name, dtype, tuple(plain.shape), storage, kind=entry.kind)
