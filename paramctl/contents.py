"""The content of a parameter, by the digest of its bytes."""

from hashlib import blake2b
from typing import NamedTuple

from paramctl.arrays import raw
from paramctl.checkpoint import Entry
from paramctl.dtypes import DType


class Content(NamedTuple):
    """What equal parameters agree in; `is_constant` says that all elements are one number."""

    dtype: DType
    shape: tuple[int, ...]
    digest: bytes
    is_constant: bool


def read_content(entry: Entry) -> Content:
    """Read a plain tensor once, in blocks.

    Raises:
        ParamctlError: as `arrays.raw`.
    """
    digest, is_constant, first = blake2b(digest_size=16), True, b""
    itemsize = max(1, entry.dtype.bits // 8)
    for block in raw(entry):
        digest.update(block)
        first = first or block[:itemsize]
        is_constant = is_constant and block == first * (len(block) // itemsize)
    return Content(entry.dtype, entry.shape, digest.digest(), is_constant)
