"""A model as torch.distributed.checkpoint writes it from one process: a folder of two files.

One holds an archive for every tensor, `.metadata` says where. Source:
torch/distributed/checkpoint/filesystem.py of torch 2.13.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from paramctl.checkpoint import Checkpoint, Entry
from paramctl.formats.pickles import Dict, Global, Object
from paramctl.writer import metadata
from paramctl.writer.contents import choose
from paramctl.writer.layout import Files, Layout, Part, Plan
from paramctl.writer.objects import pickle_value
from paramctl.writer.options import WriteOptions
from paramctl.writer.pickling import pickle_tensor
from paramctl.writer.torch_zip import in_torch, lay_out

DATA, METADATA = "__0_0.distcp", ".metadata"
PATTERN = re.compile(r"\.metadata|__\d+_\d+\.distcp")
ROOM = "torch.distributed.checkpoint"
VERSION = "1.0.0"  # of what torch writes


class Saved(NamedTuple):
    """A tensor, and the bytes of the file that its archive takes."""

    entry: Entry
    offset: int
    nbytes: int


def plan(checkpoint: Checkpoint, options: WriteOptions) -> Plan:
    """Plan the file of the tensors.

    Raises:
        ParamctlError: it cannot be written; the class says why.
    """
    files = plan_folder(checkpoint, options)
    return Plan(files.layouts[DATA], files.notes)


def plan_folder(checkpoint: Checkpoint, options: WriteOptions) -> Files:
    """Plan a folder which `torch.distributed.checkpoint.load` takes; ties are stored once.

    Raises:
        ParamctlError: it cannot be written; the class says why.
    """
    contents = choose(checkpoint, options)
    parts: list[Part] = []
    saved: dict[str, Saved] = {}
    position = 0
    for stored in contents.entries:
        entry = in_torch(stored)
        layout = lay_out(pickle_tensor(entry), [entry])
        saved[entry.name] = Saved(entry, position, layout.nbytes)
        position += layout.nbytes
        parts += layout.parts
    named = {name: saved[contents.aliases.get(name, name)] for name in checkpoint}
    notes = contents.notes + metadata.note_lost(checkpoint, "a folder of torch's")
    data = Layout(tuple(parts), position)
    return Files({DATA: data}, {METADATA: _describe(named)}, PATTERN, notes)


def _describe(named: dict[str, Saved]) -> bytes:
    """Return the pickle of what torch calls the metadata."""
    tensors, places, paths = Dict(), Dict(), Dict()
    for name, saved in named.items():
        tensors.pairs.append((name, _tensor(saved.entry)))
        places.pairs.append((_index(name, saved.entry), _place(saved)))
        paths.pairs.append((name, (name,)))
    state = {
        "state_dict_metadata": tensors,
        "planner_data": paths,
        "storage_data": places,
        "storage_meta": None,
        "version": VERSION,
    }
    return pickle_value(_made("metadata.Metadata", state))


def _tensor(entry: Entry) -> Object:
    """Describe a tensor in one piece."""
    chunk = {"offsets": _size((0,) * len(entry.shape)), "sizes": _size(entry.shape)}
    layout = _called("torch.serialization", "_get_layout", "torch.strided")
    order = _called(f"{ROOM}.metadata", "_MEM_FORMAT_ENCODING", 0)
    properties = (Global("torch", entry.dtype.name), layout, False, order, False)
    state = {
        "properties": _made("metadata.TensorProperties", properties),
        "size": _size(entry.shape),
        "chunks": [_made("metadata.ChunkStorageMetadata", chunk)],
    }
    return _made("metadata.TensorStorageMetadata", state)


def _index(name: str, entry: Entry) -> Object:
    offset = _size((0,) * len(entry.shape))
    return _made("metadata.MetadataIndex", {"fqn": name, "index": 0, "offset": offset})


def _place(saved: Saved) -> Object:
    state = {"relative_path": DATA, "offset": saved.offset, "length": saved.nbytes}
    return _made("filesystem._StorageInfo", state)


def _size(numbers: tuple[int, ...]) -> Object:
    return _called("torch", "Size", numbers)


def _called(module: str, name: str, *arguments: object) -> Object:
    return Object(Global(module, name), arguments)


def _made(path: str, state: Mapping[str, object] | tuple[object, ...]) -> Object:
    """Return an object of a class of torch.distributed.checkpoint, with its attributes."""
    room, _, name = path.rpartition(".")
    made = Object(Global(f"{ROOM}.{room}", name), ())
    made.state = state
    if isinstance(state, Mapping):
        made.state = Dict()
        made.state.pairs = [*state.items()]
    return made
