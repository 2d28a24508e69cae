"""The types of elements that are ours too, each looked for once."""

from typing import Any

from paramctl.dtypes import BY_NUMPY, DType
from paramctl.formats.hdf5.library import load_h5py

Found = tuple[DType, bool] | None


class ElementTypes:
    """The types of the elements of a file's datasets."""

    def __init__(self) -> None:
        self._found: dict[bytes, Found] = {}  # by how HDF5 writes them

    def find(self, stored: Any) -> Found:
        """Return a type, and whether it is big-endian; None of no numbers.

        They must be stored as numpy has them in memory.
        """
        written = stored.encode()
        if written not in self._found:
            self._found[written] = _find(stored)
        return self._found[written]


def _find(stored: Any) -> Found:
    try:
        numpy = stored.dtype
    except TypeError:  # numpy has no such type
        return None
    dtype = BY_NUMPY.get(numpy.str[1:])
    if dtype is None:
        return None
    h5t = load_h5py().h5t
    if numpy.kind == "V":  # a table of two columns has two bytes too
        return (dtype, False) if stored.get_class() == h5t.OPAQUE else None
    if stored != h5t.py_create(numpy, logical=True):
        return None
    return dtype, numpy.str[0] == ">"
