"""What is told of a model some of whose files or values are not there."""

from paramctl.checkpoint import MISSING, Entry
from paramctl.dtypes import UNKNOWN

MAX_COMPLAINTS = 4  # that are told; of the others, how many there are
ABSENT = Entry("", UNKNOWN, (), None, layout=MISSING)
"""Stands for a tensor that is in a file that is not there."""


def shorten(complaints: list[str]) -> tuple[str, ...]:
    """Return the first complaints, and how many more there are."""
    more = len(complaints) - MAX_COMPLAINTS
    return tuple(complaints[:MAX_COMPLAINTS]) + ((f"and {more:,} more",) if more > 0 else ())
