"""A model as `numpy.savez` writes it: a zip archive with an `.npy` file for every name.

Source: numpy/lib/_npyio_impl.py, `_savez`; numpy/lib/_format_impl.py.
"""

import re
from collections.abc import Collection, Mapping
from io import BytesIO

from numpy.lib import format as npy

from paramctl.arrays import MAX_DIMENSIONS
from paramctl.checkpoint import Checkpoint, Entry
from paramctl.doors import Spelling
from paramctl.dtypes import FLOATING
from paramctl.errors import UsageError
from paramctl.writer import metadata
from paramctl.writer.archive import Archive
from paramctl.writer.contents import choose
from paramctl.writer.holders import tell_holders
from paramctl.writer.layout import Plan
from paramctl.writer.options import WriteOptions

SUFFIX = ".npy"
_LEADS_OUT = re.compile(r"[/\\]|[A-Za-z]:[/\\]|(?:.*[/\\])?\.\.(?:[/\\]|\Z)", re.DOTALL)


def plan(checkpoint: Checkpoint, options: WriteOptions) -> Plan:
    """Plan the file of arrays, which numpy loads without unpickling anything.

    Raises:
        UsageError: numpy has no such type, or the name is none for a member of an archive.
        ParamctlError: it cannot be written; the class says why.
    """
    contents = choose(checkpoint, options._replace(ties="copy"))
    archive = Archive()
    for entry in contents.entries:
        _check_name(entry.name, checkpoint)
        archive.add(entry.name + SUFFIX, _head(entry), entry)
    notes = contents.notes + metadata.note_lost(checkpoint, "npz")
    return Plan(archive.lay_out(), notes + _note_ties(checkpoint.aliases))


def _head(entry: Entry) -> bytes:
    """Return what an `.npy` file says before its elements."""
    if not entry.dtype.numpy:
        is_cast = entry.dtype.name in FLOATING
        cast = ("cast it: ", Spelling("--dtype float32", "cast('float32')"))
        hint = cast if is_cast else tell_holders(entry.dtype)
        raise UsageError(f"'{entry.name}': numpy has no {entry.dtype.name}", hint=hint)
    if len(entry.shape) > MAX_DIMENSIONS:
        raise UsageError(f"'{entry.name}' has {len(entry.shape)} dimensions, more than numpy holds")
    head = BytesIO()
    described = {"descr": entry.dtype.numpy, "fortran_order": False, "shape": entry.shape}
    npy.write_array_header_1_0(head, described)
    return head.getvalue()


def _check_name(name: str, names: Collection[str]) -> None:
    """Refuse a name that means something else to who unpacks the archive, or to numpy."""
    what = ""
    if "\0" in name:
        what = "a NUL ends it early"
    elif _LEADS_OUT.match(name):
        what = "it leads out of the folder that the archive is unpacked in"
    elif name.endswith(SUFFIX) and name.removesuffix(SUFFIX) in names:
        what = f"numpy takes it for '{name.removesuffix(SUFFIX)}'"
    if what:
        raise UsageError(f"'{name}' cannot be a name in npz: {what}", hint="rename it")


def _note_ties(aliases: Mapping[str, str]) -> tuple[str, ...]:
    if not aliases:
        return ()
    alias, stored = next(iter(aliases.items()))
    more = f" and {len(aliases) - 1} more are" if len(aliases) > 1 else " is"
    return (f"npz has no ties: '{alias}' (= '{stored}'){more} written again",)
