"""Models at URLs, of which no more bytes are moved than are asked for."""

from collections.abc import Callable, Iterable

Choose = Callable[[Iterable[str], str], str]
"""Returns the one of the names in a folder that is its model's; the folder is for messages."""
