"""Errors in an expression say in which text, and at which column of it."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from paramctl.errors import ExpressionError

MAX_QUOTED = 72  # characters of a text that a message shows
MAX_MESSAGE = 160  # characters that it says about it


@contextmanager
def quoting(text: str) -> Iterator[None]:
    """Name `text` in any error in an expression that passes through and names none yet."""
    try:
        yield
    except ExpressionError as error:
        if not error.text:
            error.text = text
            quoted = excerpt(text, error.column, MAX_QUOTED)
            error.what = f"'{quoted}': {excerpt(error.what, 0, MAX_MESSAGE)}"
        raise


def excerpt(text: str, column: int, size: int) -> str:
    """Return a text, or the `size` characters around a column of it where it is longer."""
    start = max(0, min(column - size // 2, len(text) - size))
    end = start + size
    return ("..." if start else "") + text[start:end] + ("..." if end < len(text) else "")


def closest(name: str, names: Collection[str]) -> str:
    """Return a hint that lists the names closest to a misspelt one, else all of them."""
    from difflib import get_close_matches  # noqa: PLC0415 (only for an error)

    close = get_close_matches(name[:100], names, n=3, cutoff=0.5)
    return f"closest: {', '.join(close)}" if close else f"there are {', '.join(names)}"
