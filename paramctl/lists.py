"""Lists that stay in their file until their items are asked for, as long as a vocabulary."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, overload


class LazyList(Sequence[Any]):
    """A list of `count` items, which `read` returns.

    Iterating reads them and keeps none; the first look at a place reads and keeps them all.
    """

    def __init__(self, count: int, read: Callable[[], list[Any]]) -> None:
        self._count = count
        self._read = read

    @cached_property
    def _items(self) -> list[Any]:
        return self._read()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> list[Any]: ...
    def __getitem__(self, place: int | slice) -> Any:
        return self._items[place]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._read())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (list, LazyList)) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._count}>"


def read_lazy(value: Any) -> Any:
    """Return a lazy list as a list, anything else as it is."""
    return list(value) if isinstance(value, LazyList) else value
