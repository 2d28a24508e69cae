"""A model as `torch.save` writes its state dict: a zip archive of a pickle and of storages.

Source: pytorch, docs/source/notes/serialization.rst; torch/serialization.py, `_save`.
"""

from collections.abc import Iterable

from paramctl.checkpoint import Checkpoint, Entry
from paramctl.dtypes import BY_NAME
from paramctl.errors import UsageError
from paramctl.writer import metadata
from paramctl.writer.archive import ALIGNMENT, Archive
from paramctl.writer.contents import choose
from paramctl.writer.holders import TORCH_LACKS, tell_holders
from paramctl.writer.layout import Layout, Plan
from paramctl.writer.options import WriteOptions
from paramctl.writer.pickling import Item, pickle_state

ROOT = "archive/"
PACKED = {"float4_e2m1fn": BY_NAME["float4_e2m1fn_x2"]}  # where it has two values in an element


def plan(checkpoint: Checkpoint, options: WriteOptions) -> Plan:
    """Plan the file of a plain state dict, which torch loads with weights_only.

    Raises:
        ParamctlError: it cannot be written; the class says why.
    """
    contents = choose(checkpoint, options)
    stored = {entry.name: in_torch(entry) for entry in contents.entries}
    keys = {name: str(place) for place, name in enumerate(stored)}
    owners = {name: contents.aliases.get(name, name) for name in checkpoint}
    items = [Item(name, stored[owner], keys[owner]) for name, owner in owners.items()]
    layout = lay_out(begin(pickle_state(items)), stored.values())
    return Plan(layout, contents.notes + metadata.note_lost(checkpoint, "a state dict"))


def begin(pickle: bytes) -> Archive:
    """Return what stands before the storages in the archive of a pickle."""
    archive = Archive()
    for name, data in (
        ("data.pkl", pickle),
        (".format_version", b"1"),
        (".storage_alignment", str(ALIGNMENT).encode()),
        ("byteorder", b"little"),
    ):
        archive.add(ROOT + name, data)
    return archive


def lay_out(archive: Archive, stored: Iterable[Entry]) -> Layout:
    """Return an archive that has begun, with the storages, whose keys are 0, 1, 2, ..."""
    for key, entry in enumerate(stored):
        archive.add(f"{ROOT}data/{key}", b"", entry)
    archive.add(f"{ROOT}version", b"3\n")
    return archive.lay_out()


def in_torch(entry: Entry) -> Entry:
    """Return an entry in a type that torch has.

    Raises:
        UsageError: torch has none.
    """
    if entry.dtype.name in TORCH_LACKS:
        what = f"'{entry.name}': torch has no dtype for {entry.dtype.name}"
        raise UsageError(what, hint=tell_holders(entry.dtype))
    if entry.dtype.name not in PACKED:
        return entry
    if not entry.shape or entry.shape[-1] % 2:
        raise UsageError(f"'{entry.name}': torch has pairs of {entry.dtype.name} only")
    shape = (*entry.shape[:-1], entry.shape[-1] // 2)
    return entry._replace(dtype=PACKED[entry.dtype.name], shape=shape, strides=None)
