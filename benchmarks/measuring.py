"""Run programs whole and take their wall time and memory peak, two of them side by side.

Linux counts what a process held before it became the program to its memory peak, so whoever
measures must be small: do not import torch into it.
"""

import os
import pty
import subprocess
import termios
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

CHUNK = 1 << 16
SCREEN = (24, 100)  # rows, columns


class Cost(NamedTuple):
    """Wall time from start to end, and the largest resident set."""

    seconds: float
    megabytes: float

    def cells(self) -> tuple[str, str]:
        """Return both as a table shows them."""
        return f"{self.seconds:.3f} s", f"{self.megabytes:.0f} MB"


class Budget(NamedTuple):
    """What a program may take at most: times the peer, seconds, megabytes; None for any."""

    ratio: float | None = None
    seconds: float | None = None
    megabytes: float | None = None

    def holds(self, ours: Cost, theirs: Cost) -> bool:
        """Whether `ours` is within every bound."""
        spent = (ours.seconds / theirs.seconds, ours.seconds, ours.megabytes)
        return all(
            bound is None or value <= bound for value, bound in zip(spent, self, strict=True)
        )

    def verdict(self, ours: Cost, theirs: Cost) -> tuple[str, str, str]:
        """Return the ratio, the budget and whether it holds, as a table shows them."""
        holds = "holds" if self.holds(ours, theirs) else "BROKEN"
        return f"{ours.seconds / theirs.seconds:.2f}x", str(self), holds

    def __str__(self) -> str:
        units = ("x", " s", " MB")
        bounds = [f"{bound:g}{unit}" for bound, unit in zip(self, units, strict=True) if bound]
        return ", ".join(bounds)


def compare(  # noqa: PLR0913 (what differs between benchmarks)
    ours: Sequence[str],
    theirs: Sequence[str],
    runs: int,
    *,
    on_terminal: bool,
    answer: int = 0,
    output: Path | None = None,
) -> tuple[Cost, Cost]:
    """Return the medians of two commands, run in turns after a first run each that warms up.

    `answer` is the exit code of ours; `output` is the file that both write, and find no old one of.
    """
    costs: tuple[list[Cost], list[Cost]] = ([], [])
    for _ in range(runs + 1):
        for command, own, code in zip((ours, theirs), costs, (answer, 0), strict=True):
            own.append(run(command, on_terminal=on_terminal, answer=code))
            if output:
                output.unlink()
    return _median(costs[0][1:]), _median(costs[1][1:])


def run(command: Sequence[str], *, on_terminal: bool, answer: int = 0) -> Cost:
    """Run a command to its end, its output on a pseudo-terminal or in a pipe.

    Raises:
        ChildProcessError: it failed: its exit code is not the `answer`.
    """
    reader, writer = pty.openpty() if on_terminal else os.pipe()
    if on_terminal:
        termios.tcsetwinsize(writer, SCREEN)
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writer, stderr=writer)
    os.close(writer)
    output = _drain(reader)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != answer:
        raise ChildProcessError(f"{' '.join(command)} failed: {output[-1000:].decode()}")
    return Cost(seconds, usage.ru_maxrss / 1024)


def _drain(reader: int) -> bytes:
    pieces = []
    with suppress(OSError):  # EIO is a pseudo-terminal's end of file
        while piece := os.read(reader, CHUNK):
            pieces.append(piece)
    os.close(reader)
    return b"".join(pieces)


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(median(cost.seconds for cost in costs), median(cost.megabytes for cost in costs))
