"""Seeds: the whole numbers that random values depend on."""

from secrets import randbits

from paramctl.errors import UsageError

MAX_SEED = 2**64 - 1
FRESH_BITS = 32  # short enough to type again


def check_seed(seed: int) -> int:
    """Return a seed that can be one.

    Raises:
        UsageError: it is out of range.
    """
    if isinstance(seed, bool) or not 0 <= int(seed) <= MAX_SEED:
        raise UsageError(f"a seed is a whole number from 0 to 2^64 - 1, not {seed}")
    return int(seed)  # where it is one of numpy's


def fresh_seed() -> int:
    """Return a seed that nobody has chosen."""
    return randbits(FRESH_BITS)
