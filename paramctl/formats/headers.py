"""How much of a file is read to tell what is in it."""

from paramctl.doors import option
from paramctl.errors import LimitError


def check_header(what: str, nbytes: int, limit: int) -> None:
    """Make sure that a header or an index is not longer than the options allow.

    Raises:
        LimitError: it is; says which option reads it.
    """
    if nbytes > limit:
        raise LimitError(
            f"{what} of {nbytes} bytes is over the limit of {limit}",
            hint=(option("max_header_bytes", nbytes), " reads it"),
        )
