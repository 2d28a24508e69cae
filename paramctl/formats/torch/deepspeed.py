"""The model's file that a rank of DeepSpeed's ZeRO-3 wrote: its parameters are empty in it.

It has their names and shapes. Source: engine.py of DeepSpeed 0.19, `_common_checkpoint_state`.
"""

from collections.abc import Mapping

from paramctl.checkpoint import MISSING, Checkpoint, Entry, ReadOptions
from paramctl.dtypes import BY_NAME
from paramctl.errors import MalformedError
from paramctl.formats.pickles import Dict
from paramctl.formats.torch.ranks import FRAGMENTS, Shapes, join_ranks
from paramctl.formats.torch.tensors import read_sizes
from paramctl.sources import Source
from paramctl.ties import resolve_shared

SHAPES, FROZEN, SHARED = "param_shapes", "frozen_param_shapes", "shared_params"


def add_partitioned(
    checkpoint: Checkpoint, root: object, source: Source, options: ReadOptions
) -> None:
    """Give the parameters that are empty in a model their shapes and values.

    Where the values cannot be had, they are missing.

    Raises:
        MalformedError: a shape is none.
        LimitError: there are too many ranks.
    """
    parts = root.strings() if isinstance(root, Dict) else {}
    groups = parts.get(SHAPES)
    groups = groups if isinstance(groups, list) else []
    trained = {name: shape for group in groups for name, shape in _read_shapes(group).items()}
    frozen = _lacking(checkpoint, _read_shapes(parts.get(FROZEN)) if groups else {})
    lacking = _lacking(checkpoint, trained) | frozen
    if not lacking:
        return
    foreign = dict.fromkeys(checkpoint.foreign)
    try:
        joined = join_ranks(source, trained, frozen, options, foreign)
        if frozen:  # they are of the model now
            checkpoint.others.pop(FRAGMENTS, None)
    except MalformedError as error:
        joined = _absent(checkpoint, lacking)
        checkpoint.missing |= dict.fromkeys(lacking, str(error))
        checkpoint.complaints += (f"ZeRO-3 has cut up its parameters, and {error}",)
    checkpoint.foreign = tuple(foreign)
    checkpoint.entries |= {name: joined[name] for name in lacking}
    _add_shared(checkpoint, parts.get(SHARED), joined)
    resolve_shared(checkpoint)


def _read_shapes(group: object) -> Shapes:
    """Return the shapes of a group of parameters by their names; what is no shape says nothing."""
    named = group.strings() if isinstance(group, Dict) else {}
    return {
        name: read_sizes(shape, "shape") for name, shape in named.items() if type(shape) is tuple
    }


def _lacking(checkpoint: Checkpoint, shapes: Shapes) -> Shapes:
    """Return the shapes of those that are empty in the model and should not be."""
    entries = checkpoint.entries
    return {name: shape for name, shape in shapes.items() if _lacks(entries.get(name), shape)}


def _lacks(entry: Entry | None, shape: tuple[int, ...]) -> bool:
    return entry is None or (not entry.numel and entry.shape != shape)


def _absent(checkpoint: Checkpoint, shapes: Shapes) -> dict[str, Entry]:
    absent = {}
    for name, shape in shapes.items():
        entry = checkpoint.entries.get(name)
        dtype = entry.dtype if entry else BY_NAME["float32"]
        absent[name] = Entry(name, dtype, shape, None, layout=MISSING)
    return absent


def _add_shared(checkpoint: Checkpoint, shared: object, joined: Mapping[str, Entry]) -> None:
    """Give the names that share a parameter its values too."""
    for name, stored in shared.strings().items() if isinstance(shared, Dict) else ():
        entry = joined.get(stored) if type(stored) is str else None
        if entry and _lacks(checkpoint.entries.get(name), entry.shape):
            checkpoint.entries[name] = entry._replace(name=name)
            if stored in checkpoint.missing:
                checkpoint.missing[name] = checkpoint.missing[stored]
