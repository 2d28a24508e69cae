"""Memory that one block of values leaves to the next."""

from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt(3)
KEPT = 1 << 26  # bytes: blocks are less


def keep_memory() -> None:
    """Let malloc keep what one block has freed for the next.

    It would ask the kernel for fresh pages each time, which takes five times as long as all that is
    computed of a block.
    """
    import ctypes  # noqa: PLC0415 (only here)

    with suppress(AttributeError, OSError):  # another libc than glibc
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, KEPT)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT)
