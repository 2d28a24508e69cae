"""The first few of many things, in a line."""

from collections.abc import Sequence


def list_few(items: Sequence[str], most: int, *, separator: str = ", ", last: str = " and ") -> str:
    """Return the first items, `most` of them, and how many more there are."""
    more = len(items) - most
    return separator.join(items[:most]) + (f"{last}{more:,} more" if more > 0 else "")
