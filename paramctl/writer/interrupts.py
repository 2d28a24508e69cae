"""Ctrl-C, a kill and a hang-up while a file is written: they raise, so that nothing is left over.

What the program around us handles in its own way, or ignores, stays with it.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType, TracebackType
from typing import NoReturn, Self

from paramctl.errors import Interruption

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
UNHANDLED = (signal.SIG_DFL, signal.default_int_handler)


class Interrupts:
    """The context in which these signals raise, but for the steps that are held together."""

    def __init__(self) -> None:
        self._previous: dict[int, object] = {}
        self._held = 0
        self._pending = 0

    def __enter__(self) -> Self:
        if current_thread() is main_thread():
            for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
                if signal.getsignal(number) in UNHANDLED:
                    self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no signal come between the steps of the context; it is raised behind them."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if self._pending and not self._held:
                self._raise(self._pending)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self._held:
            self._pending = number
        else:
            self._raise(number)

    def _raise(self, number: int) -> NoReturn:
        self._pending = 0
        self._held += 1  # a second Ctrl-C must not come between the steps of cleaning up
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Interruption(number)
