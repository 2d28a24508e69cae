"""Parameters that hold the same bytes, found by their digests."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from paramctl.checkpoint import ARRAYS, Checkpoint, Entry
from paramctl.contents import Content, read_content
from paramctl.groups import Groups
from paramctl.passes import check_expanded

THREADS = 4


class Equals(NamedTuple):
    """Groups of parameters that are equal byte for byte, in the model's order.

    Those whose elements are all one number (fresh biases and norms are) stand apart: they are equal
    by chance, and would no longer learn apart if they were tied.
    """

    groups: list[list[str]]
    constant: list[list[str]]

    def to_tie(self, *, are_named: bool) -> list[list[str]]:
        """Return the groups to tie: those of one number too where the user named parameters."""
        return self.groups + (self.constant if are_named else [])


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
        contents = list(pool.map(read_content, candidates))
    equal: dict[Content, list[str]] = {}
    for entry, content in zip(candidates, contents, strict=True):
        equal.setdefault(content, []).append(entry.name)
    several = {content: names for content, names in equal.items() if len(names) > 1}
    return Equals(
        [names for content, names in several.items() if not content.is_constant],
        [names for content, names in several.items() if content.is_constant],
    )


def find_same(alternatives: Mapping[str, Sequence[Entry]]) -> frozenset[str]:
    """Return the names of which all alternatives have one dtype and shape, and the same bytes.

    Raises:
        ParamctlError: the values of one cannot be read.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        return frozenset(
            name
            for name, entries in alternatives.items()
            if _are_alike(entries) and len(set(pool.map(_read_plain, entries))) == 1
        )


def _are_alike(entries: Sequence[Entry]) -> bool:
    is_one_kind = len({(entry.dtype, entry.shape) for entry in entries}) == 1
    return is_one_kind and all(entry.layout in ARRAYS for entry in entries)


def _read_plain(entry: Entry) -> Content:
    check_expanded(entry)
    return read_content(entry)
