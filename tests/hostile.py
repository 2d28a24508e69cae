"""Malformed inputs by row, each with the right answer; the rows of one format in one table."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from program import Run

MAX_SECONDS = 2.0
MAX_MEGABYTES = 150.0
VERBS = (("ls", "--format", "tree"), ("show",), ("meta",))  # beside `ls`, whose rows are the tables

CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
PRINTABLE_LINE = re.compile(f"[^{CONTROLS}]*\n")


class Row(NamedTuple):
    """A malformed input: its bytes or its maker, its exit code, a part of the message."""

    id: str
    make: bytes | Callable[[Path], Path]
    code: int
    message: str

    def write(self, folder: Path) -> Path:
        """Make the input in `folder` and return its path."""
        if callable(self.make):
            return self.make(folder)
        path = folder / f"{self.id}.model"
        path.write_bytes(self.make)
        return path


def assert_refused(run: Run, row: Row) -> None:
    """Check the contract of a refused file: code, one escaped line, no output, no excess."""
    assert run.code == row.code, (run.code, run.err)
    assert run.err.startswith("paramctl: "), run.err
    assert PRINTABLE_LINE.fullmatch(run.err), repr(run.err)
    assert row.message in run.err, run.err
    assert not run.out
    assert_bounded(run)


def assert_bounded(run: Run) -> None:
    """Check that a small file took little time and memory."""
    assert run.seconds < MAX_SECONDS, run.seconds
    assert run.megabytes < MAX_MEGABYTES, run.megabytes
