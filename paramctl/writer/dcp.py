"""A model as torch.distributed.checkpoint writes it from one process: a folder of two files.

One holds an archive for every tensor, `.metadata` says where. Source:
torch/distributed/checkpoint/filesystem.py of torch 2.13.
"""

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from itertools import count
from typing import NamedTuple

from paramctl.checkpoint import Checkpoint, Entry
from paramctl.dtypes import DType
from paramctl.formats.pickles import Dict, Global, Object
from paramctl.writer import metadata
from paramctl.writer.archive import Archive
from paramctl.writer.contents import choose
from paramctl.writer.layout import Files, Layout, Part, Plan
from paramctl.writer.objects import Pairs, Repeated, pickle_value
from paramctl.writer.options import WriteOptions
from paramctl.writer.pickling import pickle_tensor
from paramctl.writer.torch_zip import begin, in_torch, lay_out

METADATA = ".metadata"
PATTERN = re.compile(r"\.metadata|__\d+_\d+\.distcp")
ROOM = "torch.distributed.checkpoint"
VERSION = "1.0.0"  # of what torch writes


class Saved(NamedTuple):
    """A tensor, and the bytes of the file that its archive takes."""

    entry: Entry
    file: str
    offset: int
    nbytes: int


def plan(checkpoint: Checkpoint, options: WriteOptions) -> Plan:
    """Plan the file of the tensors.

    Raises:
        ParamctlError: it cannot be written; the class says why.
    """
    files = plan_folder(checkpoint, options)
    (layout,) = files.layouts.values()
    return Plan(layout, files.notes)


def plan_folder(checkpoint: Checkpoint, options: WriteOptions, path: str = "") -> Files:
    """Plan a folder which `torch.distributed.checkpoint.load` takes; ties are stored once.

    The file of tensors has a name that none at `path` has: what is there stays whole until
    `.metadata` names the new one.

    Raises:
        ParamctlError: it cannot be written; the class says why.
    """
    file = _find_free(path)
    contents = choose(checkpoint, options)
    archives = _Archives([in_torch(entry) for entry in contents.entries])
    saved = archives.place(file)
    named = {name: saved[contents.aliases.get(name, name)] for name in checkpoint}
    notes = contents.notes + metadata.note_lost(checkpoint, "a folder of torch's")
    data = Layout(archives, sum(each.nbytes for each in saved.values()))
    return Files({file: data}, {METADATA: _describe(named)}, PATTERN, notes)


def _find_free(path: str) -> str:
    """Return the first name of a file of tensors, as torch numbers them, that is free at a path."""
    names = (f"__0_{number}.distcp" for number in count())
    return next(name for name in names if not (path and os.path.lexists(os.path.join(path, name))))


class _Archives:
    """The archives of tensors, one behind the other; each is laid out when its turn has come."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = entries

    def __iter__(self) -> Iterator[Part]:
        for entry in self._entries:
            yield from self._lay_out(entry).parts

    def place(self, file: str) -> dict[str, Saved]:
        """Return where in a file the archives will be: a size depends on those of two members."""
        saved: dict[str, Saved] = {}
        sizes: dict[tuple[int, int], int] = {}
        position = 0
        for entry in self._entries:
            members = len(pickle_tensor(entry.dtype, entry.shape)), entry.nbytes
            if members not in sizes:
                sizes[members] = self._lay_out(entry).nbytes
            saved[entry.name] = Saved(entry, file, position, sizes[members])
            position += sizes[members]
        return saved

    def _lay_out(self, entry: Entry) -> Layout:
        return lay_out(_begin(entry.dtype, entry.shape).copy(), [entry])


@lru_cache
def _begin(dtype: DType, shape: tuple[int, ...]) -> Archive:
    return begin(pickle_tensor(dtype, shape))


def _describe(named: dict[str, Saved]) -> bytes:
    """Return the pickle of what torch calls the metadata."""
    items = [*named.items()]
    describe = cache(lambda dtype, shape: Repeated(_tensor(dtype, shape)))
    corner = cache(lambda dimensions: Repeated(_size((0,) * dimensions)))

    def tensor(item: tuple[str, Saved]) -> tuple[str, Repeated]:
        name, saved = item
        return name, describe(saved.entry.dtype.name, saved.entry.shape)

    def place(item: tuple[str, Saved]) -> tuple[Object, Object]:
        name, saved = item
        return _index(name, corner(len(saved.entry.shape))), _place(saved)

    state = {
        "state_dict_metadata": Pairs(items, tensor),
        "planner_data": Pairs(items, lambda item: (item[0], (item[0],))),
        "storage_data": Pairs(items, place),
        "storage_meta": None,
        "version": VERSION,
    }
    return pickle_value(_made("metadata.Metadata", state))


def _tensor(dtype: str, shape: tuple[int, ...]) -> Object:
    """Describe a tensor in one piece."""
    chunk = {"offsets": _size((0,) * len(shape)), "sizes": _size(shape)}
    layout = _called("torch.serialization", "_get_layout", "torch.strided")
    order = _called(f"{ROOM}.metadata", "_MEM_FORMAT_ENCODING", 0)
    properties = (Global("torch", dtype), layout, False, order, False)
    state = {
        "properties": _made("metadata.TensorProperties", properties),
        "size": _size(shape),
        "chunks": [_made("metadata.ChunkStorageMetadata", chunk)],
    }
    return _made("metadata.TensorStorageMetadata", state)


def _index(name: str, offset: Repeated) -> Object:
    return _made("metadata.MetadataIndex", {"fqn": name, "index": 0, "offset": offset})


def _place(saved: Saved) -> Object:
    state = {"relative_path": saved.file, "offset": saved.offset, "length": saved.nbytes}
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
