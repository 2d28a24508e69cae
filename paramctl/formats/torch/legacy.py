"""Torch's files of before 1.6: five pickles, then the storages one after another.

The pickles are the magic number, the protocol, facts of the system, the objects, and the list of
the storages' keys; each storage is an int64 count of elements and then the elements.
Source: torch/serialization.py, `_legacy_save` and `_legacy_load`.
"""

from typing import NamedTuple

from paramctl.checkpoint import Checkpoint, ReadOptions, Storage
from paramctl.dtypes import DType
from paramctl.errors import LimitError, MalformedError
from paramctl.formats.pickles import (
    Dict,
    Global,
    Pickle,
    TruncatedPickle,
    label,
    read_pickle,
)
from paramctl.formats.torch.file import list_model
from paramctl.formats.torch.storages import TypedStorage, count_bytes, read_storage_id
from paramctl.formats.torch.tensors import BUILDERS
from paramctl.sources import Source

PROTOCOL = 1001
FIRST_READ = 1 << 20
MAX_PICKLES = 256 << 20


class Head(NamedTuple):
    """The five pickles' bytes: where the objects begin, where all of them end, what they name."""

    data: bytes
    objects: int
    end: int
    keys: object
    big_endian: bool
    globals: tuple[Global, ...]


class Storages:
    """The storages that the objects name: collected in a first reading, placed for a second."""

    def __init__(self) -> None:
        self._sizes: dict[str, tuple[DType, int]] = {}
        self._placed: dict[str, Storage] = {}

    def collect(self, pid: object) -> object:
        """Take note of a persistent id's storage; what stands for it is of no use."""
        if isinstance(pid, tuple) and _is_source_note(pid):
            return pid[1]
        dtype, key, numel, _ = read_storage_id(pid)
        if self._sizes.setdefault(key, (dtype, numel)) != (dtype, numel):
            raise MalformedError(f"storage '{key}' is given two sizes or two types")
        return key

    def place(self, source: Source, head: Head) -> None:
        """Find each storage in the file: they follow the pickles in the order of their keys.

        Raises:
            MalformedError: keys or counts are not those of the objects, or bytes are left over.
        """
        keys = head.keys if isinstance(head.keys, list) else ()
        if not all(type(key) is str for key in keys) or sorted(keys) != sorted(self._sizes):
            raise MalformedError("the list of storages is not that of the objects")
        order = "big" if head.big_endian else "little"
        position = head.end
        for key in keys:
            dtype, numel = self._sizes[key]
            count = int.from_bytes(source.read(position, 8), order, signed=True)  # type: ignore[arg-type]
            if count != numel:
                raise MalformedError(
                    f"storage '{key}' has {count} elements, the objects say {numel}",
                    where=f"offset {position}",
                )
            nbytes = count_bytes(numel, dtype)
            self._placed[key] = Storage(source, position + 8, nbytes, key, head.big_endian)
            position += 8 + nbytes
        if position != source.size:
            what = "truncated: the storages need" if position > source.size else "storages take"
            raise MalformedError(f"{what} {position} bytes, the file has {source.size}")

    def resolve(self, pid: object) -> object:
        """Return the storage of a persistent id, or the class of one that notes its source."""
        if isinstance(pid, tuple) and _is_source_note(pid):
            return pid[1]
        dtype, key, _, view = read_storage_id(pid)
        storage = self._placed[key]
        if view and view[0] is not None:
            storage = _view(storage, dtype, view[0])
        return TypedStorage(storage, dtype)


def _is_source_note(pid: tuple[object, ...]) -> bool:
    """Whether the id is `("module", class, file, source)`, which old torch wrote for modules."""
    return len(pid) == 4 and pid[0] == "module"


def _view(storage: Storage, dtype: DType, view: object) -> Storage:
    """Return the part of a storage that `(key, offset, numel)` names."""
    if not isinstance(view, tuple) or len(view) != 3:
        raise MalformedError(f"the view of storage '{storage.key}' is not (key, offset, numel)")
    key, offset, numel = view
    if type(key) is not str or not all(type(n) is int and n >= 0 for n in (offset, numel)):
        raise MalformedError(
            f"view {label(key)} of storage '{storage.key}' is not two whole numbers"
        )
    begin, nbytes = count_bytes(offset, dtype), count_bytes(numel, dtype)
    if begin + nbytes > storage.nbytes:
        raise MalformedError(f"view '{key}' reaches past the end of storage '{storage.key}'")
    return storage._replace(
        offset=storage.offset + begin, nbytes=nbytes, key=f"{storage.key}/{key}"
    )


def read(source: Source, options: ReadOptions) -> Checkpoint:
    """Read the pickles at the file's head, and of each storage its count.

    Raises:
        MalformedError: a pickle is broken, or the storages are not those that it names.
        LimitError: the pickles take more than `MAX_PICKLES` bytes.
    """
    storages = Storages()
    head = _read_head(source, storages)
    storages.place(source, head)
    pickle = read_pickle(head.data, head.objects, builders=BUILDERS, persistent=storages.resolve)
    pickle = pickle._replace(globals=head.globals)
    return list_model(source, "torch legacy", pickle, options)


def _read_head(source: Source, storages: Storages) -> Head:
    length = FIRST_READ
    while True:
        length = min(length, source.size)
        try:
            return _parse_head(source.read(0, length), storages)
        except TruncatedPickle:
            if length == source.size:
                raise
        if length >= MAX_PICKLES:
            raise LimitError(f"the pickles take more than {MAX_PICKLES} bytes")
        length *= 4


def _parse_head(data: bytes, storages: Storages) -> Head:
    magic = read_pickle(data)
    protocol = read_pickle(data, magic.end)
    if protocol.value != PROTOCOL:
        raise MalformedError(
            f"protocol {label(protocol.value)} of torch's legacy format, not {PROTOCOL}"
        )
    system = read_pickle(data, protocol.end)
    objects = read_pickle(data, system.end, persistent=storages.collect)
    keys = read_pickle(data, objects.end)
    named = protocol.globals + system.globals + objects.globals + keys.globals
    return Head(data, system.end, keys.end, keys.value, _is_big_endian(system), named)


def _is_big_endian(system: Pickle) -> bool:
    facts = system.value.strings() if isinstance(system.value, Dict) else {}
    return facts.get("little_endian") is False
