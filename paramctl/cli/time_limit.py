"""The time that renaming may take: some patterns never come to an end on some names."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from paramctl.errors import LimitError

MAX_SECONDS = 30.0
ENDLESS = "what repeats within what repeats never ends: (a+)+"


@contextmanager
def time_limit(seconds: float = MAX_SECONDS) -> Iterator[None]:
    """End a renaming that takes longer; the main thread alone can use it.

    Raises:
        LimitError: it takes longer than so many seconds.
    """

    def stop(*_: object) -> None:
        raise LimitError(f"renaming takes longer than {seconds:g} s", hint=ENDLESS)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
