"""numpy's `.npz` files: zip archives of `.npy` files, each named after its array.

Source: `numpy.savez`, numpy/lib/_npyio_impl.py.
"""

from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.errors import MalformedError, ParamctlError
from paramctl.formats.npy import describe_texts, read_header, to_entry
from paramctl.formats.zip_members import open_member
from paramctl.formats.zips import Member, read_directory
from paramctl.sources import Source

SUFFIX = ".npy"


def read(source: Source, options: ReadOptions) -> Checkpoint:  # noqa: ARG001 (a reader's signature)
    """Read the archive's directory and the header of each array; arrays of texts are told.

    Raises:
        MalformedError: the archive or an array is broken, or there is something else in it.
        UnsafeError: an array holds Python objects.
    """
    checkpoint = Checkpoint(source.name, "npz", {})
    for member in read_directory(source, folds_case=False).values():
        if not member.name.endswith(SUFFIX):
            raise MalformedError(f"zip member '{member.name}' is no {SUFFIX} file beside others")
        try:
            _add(checkpoint, source, member)
        except ParamctlError as error:
            error.where = error.where or f"zip member '{member.name}'"
            raise
    return checkpoint


def _add(checkpoint: Checkpoint, source: Source, member: Member) -> None:
    name = member.name.removesuffix(SUFFIX)
    header = read_header(open_member(source, member))
    values = open_member(source, member)  # which has not begun to inflate, as the header's has
    if texts := describe_texts(values, header):
        checkpoint.others[name] = texts
    else:
        checkpoint.entries[name] = to_entry(values, header, name)
