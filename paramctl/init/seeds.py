"""Seeds: the whole numbers that random values depend on."""

from secrets import randbits

MAX_SEED = 2**64 - 1
FRESH_BITS = 32  # short enough to type again


def fresh_seed() -> int:
    """Return a seed that nobody has chosen."""
    return randbits(FRESH_BITS)
