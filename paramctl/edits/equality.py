"""Parameters that hold the same bytes, found by their digests."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import NamedTuple

from paramctl.arrays import raw
from paramctl.checkpoint import Checkpoint, Entry
from paramctl.dtypes import DType
from paramctl.groups import Groups

THREADS = 4


class Content(NamedTuple):
    """What equal parameters agree in; `is_constant` says that all elements are one number."""

    dtype: DType
    shape: tuple[int, ...]
    digest: bytes
    is_constant: bool


class Equals(NamedTuple):
    """Groups of parameters that are equal byte for byte, in the model's order.

    Those whose elements are all one number (fresh biases and norms are) stand apart: they are equal
    by chance, and would no longer learn apart if they were tied.
    """

    groups: list[list[str]]
    constant: list[list[str]]


def find_equal(checkpoint: Checkpoint, names: Collection[str]) -> Equals:
    """Find the parameters among `names` that are equal though they are not tied yet.

    Only those are read of which there are two of one shape and dtype.
    """
    groups = Groups(checkpoint.aliases)
    alike: dict[tuple[object, ...], list[Entry]] = {}
    for name in dict.fromkeys(map(groups.stored, names)):
        entry = checkpoint.entries[name]
        if entry.layout == "strided" and entry.numel:
            alike.setdefault((entry.dtype, entry.shape), []).append(entry)
    candidates = [entry for group in alike.values() if len(group) > 1 for entry in group]
    with ThreadPoolExecutor(THREADS) as pool:
        contents = list(pool.map(_content, candidates))
    equal: dict[Content, list[str]] = {}
    for entry, content in zip(candidates, contents, strict=True):
        equal.setdefault(content, []).append(entry.name)
    several = {content: names for content, names in equal.items() if len(names) > 1}
    return Equals(
        [names for content, names in several.items() if not content.is_constant],
        [names for content, names in several.items() if content.is_constant],
    )


def _content(entry: Entry) -> Content:
    digest, is_constant, first = blake2b(digest_size=16), True, b""
    itemsize = max(1, entry.dtype.bits // 8)
    for block in raw(entry):
        digest.update(block)
        first = first or block[:itemsize]
        is_constant = is_constant and block == first * (len(block) // itemsize)
    return Content(entry.dtype, entry.shape, digest.digest(), is_constant)
