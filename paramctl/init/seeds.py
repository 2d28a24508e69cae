"""Seeds: the whole numbers that random values depend on."""

from secrets import randbits

from paramctl.errors import UsageError

MAX_SEED = 2**64 - 1
FRESH_BITS = 32  # short enough to type again


def check_seed(seed: int) -> int:
    """Return a seed that can be one.

    Raises:
        UsageError: it is no whole number, or out of range.
    """
    if type(seed) is not int or not 0 <= seed <= MAX_SEED:
        raise UsageError(f"a seed is a whole number from 0 to 2^64 - 1, not {seed}")
    return seed


def fresh_seed() -> int:
    """Return a seed that nobody has chosen."""
    return randbits(FRESH_BITS)
