"""The progress of a long write on standard error: bytes, rate and time left."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from paramctl.writer.progress import Progress, no_progress

if TYPE_CHECKING:
    from rich.progress import Progress as Display
    from rich.progress import TaskID

    from paramctl.cli.environment import Environment

PATIENCE = 1.0  # seconds that pass before there is anything to see


@contextmanager
def show_progress(environment: "Environment") -> Iterator[Progress]:
    """Show how far the work in the context is, if it takes its time and a terminal looks on."""
    if environment.quiet or not environment.err_is_terminal:
        yield no_progress
        return
    bar = _Bar()
    try:
        yield bar
    finally:
        bar.close()


class _Bar:
    """A bar that appears when the work has taken a while, and goes when it is done."""

    def __init__(self) -> None:
        self._start = monotonic()
        self._shown: tuple[Display, TaskID] | None = None

    def __call__(self, done: int, total: int) -> None:
        if self._shown:
            display, task = self._shown
            display.update(task, completed=done, total=total)
        elif monotonic() - self._start >= PATIENCE:
            self._shown = _show(done, total)

    def close(self) -> None:
        if self._shown:
            self._shown[0].stop()


def _show(done: int, total: int) -> "tuple[Display, TaskID]":
    from rich import progress  # noqa: PLC0415 (only for terminals)
    from rich.console import Console  # noqa: PLC0415 (the same)

    display = progress.Progress(
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    task = display.add_task("", total=total, completed=done)
    display.start()
    return display, task
