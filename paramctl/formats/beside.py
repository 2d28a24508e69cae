"""The files beside one that names them."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from paramctl.errors import blaming
from paramctl.sources import Source

THREADS = 8  # that ask servers

Found = TypeVar("Found")


def is_beside(name: str) -> bool:
    """Whether a name that is not empty is that of a file, or a folder, in the same folder."""
    return name not in (".", "..") and not any(mark in name for mark in ("/", "\\", "\0"))


def read_beside(
    source: Source, names: Sequence[str], read: Callable[[Source], Found], *, follow: bool
) -> Iterator[Found | None]:
    """Yield what `read` makes of each file beside `source`, None for one that is missing.

    A server is asked for several at a time.
    """
    read_one = partial(_read_one, source, read=read, follow=follow)
    if not source.is_far:
        yield from map(read_one, names)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 (for servers only)

    pool = ThreadPoolExecutor(THREADS, "paramctl-beside")
    try:
        yield from pool.map(read_one, names)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _read_one(
    source: Source, name: str, *, read: Callable[[Source], Found], follow: bool
) -> Found | None:
    file = source.beside(name, follow=follow)
    if file is None:
        return None
    with blaming(file.name):
        found = read(file)
        file.check_unchanged()
    file.release()
    return found
