"""A module with the values and the ties of a checkpoint."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from paramctl import arrays
from paramctl.checkpoint import PLANNED, Checkpoint, Entry
from paramctl.doors import Spelling
from paramctl.errors import UsageError
from paramctl.few import list_few
from paramctl.quantized import dequantized

MAX_NAMED = 3  # names that an error lists


def build(checkpoint: Checkpoint, device: str) -> nn.Module:
    """Return the module that a checkpoint is of, with its values, and tied as it is.

    Values of another type become the module's.

    Raises:
        UsageError: nobody knows its modules, or they have other parameters.
    """
    if checkpoint.build is None:
        hint = Spelling(
            "name its spec or factory, and this file with --weights",
            "open its spec or factory, whose graft() takes the values of this one",
        )
        raise UsageError("its modules are not known", hint=hint, file=checkpoint.file)
    module: nn.Module = checkpoint.build(device)
    targets = module.state_dict(keep_vars=True)
    _check_names(checkpoint, targets)
    for name, entry in checkpoint.items():
        _check_shape(checkpoint, entry, targets[name])
    with torch.no_grad():
        _fill(checkpoint, targets)
    for alias, stored in checkpoint.aliases.items():
        if targets[alias] is not targets[stored]:
            _tie(module, alias, targets[stored], checkpoint.file)
    return module


def _fill(checkpoint: Checkpoint, targets: Mapping[str, Tensor]) -> None:
    """Copy values to where they belong; what has none keeps what the module was made with.

    Raises:
        UsageError: two names are one tensor in the module, and have not the same values.
    """
    filled: dict[int, str] = {}
    for name, entry in checkpoint.items():
        if name in checkpoint.aliases or entry.layout == PLANNED:
            continue
        target, values = targets[name], read_tensor(entry)
        other = filled.setdefault(id(target), name)
        if other != name and not torch.equal(target, values.to(target.device, target.dtype)):
            what = f"'{other}' and '{name}' are one in the model, and are not equal"
            hint = Spelling(_join("tie", other, name), f"tie({other!r}, {name!r})")
            raise UsageError(what, hint=hint, file=checkpoint.file)
        target.copy_(values)


def _join(verb: str, *names: str) -> str:
    """Return a command that can be pasted: names may have blanks."""
    import shlex  # noqa: PLC0415 (only for errors)

    return shlex.join(["paramctl", verb, *names])


def read_tensor(entry: Entry) -> Tensor:
    """Return an entry's values as torch has them, on the CPU; quantized ones as float32.

    Raises:
        UsageError: it is no plain tensor, or its type has no values that can be unpacked.
    """
    arrays.check(entry)
    entry = dequantized(entry)
    data = bytearray(b"".join(arrays.raw(entry)))
    dtype = getattr(torch, entry.dtype.name)
    if not data:
        return torch.empty(entry.shape, dtype=dtype)
    return torch.frombuffer(data, dtype=dtype).reshape(entry.shape)


def _check_names(checkpoint: Checkpoint, targets: Iterable[str]) -> None:
    wanted = dict.fromkeys(targets)
    for names, what in (
        ([name for name in wanted if name not in checkpoint], "lacks what the model has"),
        ([name for name in checkpoint if name not in wanted], "has what the model lacks"),
    ):
        if names:
            listed = list_few([f"'{name}'" for name in names], MAX_NAMED)
            raise UsageError(f"{what}: {listed}", file=checkpoint.file)


def _check_shape(checkpoint: Checkpoint, entry: Entry, target: Tensor) -> None:
    if entry.shape != tuple(target.shape):
        what = f"'{entry.name}' is of {list(entry.shape)}, in the model of {list(target.shape)}"
        raise UsageError(what, file=checkpoint.file)


def _tie(module: nn.Module, name: str, tensor: Tensor, file: str) -> None:
    """Let a module's parameter or buffer be a tensor that is another's.

    Raises:
        UsageError: one is a parameter, and the other is not.
    """
    layer, _, leaf = name.rpartition(".")
    owner = module.get_submodule(layer)
    is_buffer = leaf in owner._buffers  # noqa: SLF001 (`register_buffer` refuses what is there)
    if is_buffer == isinstance(tensor, nn.Parameter):
        what = f"'{name}' is tied to another, and only one of them is a parameter"
        hint = Spelling(_join("untie", name), f"untie({name!r})")
        raise UsageError(what, hint=hint, file=file)
    if is_buffer:
        owner._buffers[leaf] = tensor  # noqa: SLF001 (the same)
    else:
        setattr(owner, leaf, tensor)
