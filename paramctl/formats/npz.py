"""numpy's `.npz` files: zip archives of `.npy` files, each named after its array.

Source: `numpy.savez`, numpy/lib/_npyio_impl.py.
"""

from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.errors import MalformedError, ParamctlError
from paramctl.formats.npy import read_array
from paramctl.formats.zip_members import open_member
from paramctl.formats.zips import read_directory
from paramctl.sources import Source

SUFFIX = ".npy"


def read(source: Source, options: ReadOptions) -> Checkpoint:  # noqa: ARG001 (a reader's signature)
    """Read the archive's directory and the header of each array.

    Raises:
        MalformedError: the archive or an array is broken, or there is something else in it.
        UnsafeError: an array holds Python objects.
    """
    checkpoint = Checkpoint(source.name, "npz", {})
    for member in read_directory(source, folds_case=False).values():
        if not member.name.endswith(SUFFIX):
            raise MalformedError(f"zip member '{member.name}' is no {SUFFIX} file beside others")
        name = member.name.removesuffix(SUFFIX)
        try:
            entry = read_array(open_member(source, member), name)
        except ParamctlError as error:
            error.where = error.where or f"zip member '{member.name}'"
            raise
        values = open_member(source, member)  # which has not begun to inflate, as the header's has
        storage = entry.storage and entry.storage._replace(source=values)
        checkpoint.entries[name] = entry._replace(storage=storage)
    return checkpoint
