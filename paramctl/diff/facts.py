"""What two models say beside their values: metadata, and the classes of layers."""

from collections.abc import Iterator, Mapping
from json import dumps
from typing import Any, Final, NamedTuple

from paramctl.checkpoint import COUNTED, Checkpoint
from paramctl.layer_types import KEY
from paramctl.lists import read_lazy
from paramctl.ties import NO_ALIAS, is_tie

ABSENT: Final = object()
"""Stands for what one of the models does not say."""
NUMBERS = (bool, int, float)


class Fact(NamedTuple):
    """What a key means in A and in B, or in one of the two only."""

    key: str
    a: Any
    b: Any

    @property
    def is_of_form(self) -> bool:
        """Whether it is a number in one, and its text in the other, whose format has only texts."""
        one, other = (self.a, self.b) if isinstance(self.b, str) else (self.b, self.a)
        return isinstance(one, NUMBERS) and isinstance(other, str) and dumps(one) == other


def own_metadata(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the metadata that is of the model, not of the file that it is in.

    Ties, the classes of layers, and what an index counts are compared elsewhere.
    """
    return {
        key: value
        for key, value in checkpoint.metadata.items()
        if key not in (*NO_ALIAS, *COUNTED, KEY) and not is_tie(checkpoint, key, value)
    }


def compare_metadata(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Fact]:
    """Return what differs, key by key, down to what is no dictionary any more."""
    return list(_compare(a, b, ""))


def compare_classes(a: Mapping[str, str], b: Mapping[str, str]) -> list[Fact]:
    """Return the layers that are known in both, and of another class in each."""
    return [Fact(key, a[key], b[key]) for key in a if key in b and a[key] != b[key]]


def _compare(a: Mapping[str, Any], b: Mapping[str, Any], prefix: str) -> Iterator[Fact]:
    for key in dict.fromkeys((*a, *b)):
        one, other = a.get(key, ABSENT), b.get(key, ABSENT)
        if one is other:
            continue
        one, other = read_lazy(one), read_lazy(other)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _compare(one, other, f"{prefix}{key}.")
        elif type(one) is not type(other) or one != other:
            yield Fact(f"{prefix}{key}", one, other)
