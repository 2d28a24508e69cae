"""numpy's `.npy` files: a header that says what the array is, and its elements.

Source: numpy/lib/_format_impl.py, whose own functions read the header.
"""

from io import BytesIO

from numpy.lib import format as npy

from paramctl.checkpoint import Entry, Storage
from paramctl.dtypes import DTYPES
from paramctl.errors import MalformedError, UnsafeError
from paramctl.slices import row_major
from paramctl.sources import open_path

MAX_HEADER = 1 << 16  # bytes: that of a plain array takes 128
BY_NUMPY = {dtype.numpy[1:]: dtype for dtype in DTYPES if dtype.numpy}


def read_npy(path: str) -> Entry:
    """Return the array in a `.npy` file; its elements are read when they are asked for.

    Raises:
        MalformedError: it is no such file, or its size is not that of the array.
        UnsafeError: it holds Python objects, which would have to be unpickled.
    """
    source = open_path(path)
    head = BytesIO(source.read(0, min(source.size, MAX_HEADER)))
    try:
        version = npy.read_magic(head)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, by_columns, dtype = read_header(head)
    except ValueError as error:
        raise MalformedError(f"no .npy file: {error}", file=path) from error
    if dtype.hasobject:
        raise UnsafeError("an array of Python objects, which would be unpickled", file=path)
    if dtype.str[1:] not in BY_NUMPY:
        raise MalformedError(f"an array of {dtype}, which no tensor holds", file=path)
    element, start = BY_NUMPY[dtype.str[1:]], head.tell()
    storage = Storage(source, start, source.size - start, "", dtype.str[0] == ">")
    strides = tuple(reversed(row_major(shape[::-1]))) if by_columns else None
    entry = Entry(path, element, shape, storage, 0, strides)
    if entry.nbytes != storage.nbytes:
        raise MalformedError(
            f"an array of {entry.nbytes} bytes in a file with {storage.nbytes}", file=path
        )
    return entry
