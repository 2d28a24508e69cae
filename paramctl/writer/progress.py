"""How far the writing is."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Is called with the bytes that are written and those that there are to write."""


def no_progress(done: int, total: int) -> None:
    """Tell nobody."""
