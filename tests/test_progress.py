"""The progress bar: who sees it, and when."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
WORK = """
import sys
from paramctl.cli import progress
from paramctl.cli.environment import Environment

progress.PATIENCE = float(sys.argv[1])
environment = Environment()
environment.quiet = sys.argv[2] == "quiet"
with progress.show_progress(environment) as tell:
    for done in range(0, 50_000_001, 500_000):
        tell(done, 50_000_000)
assert ("rich" in sys.modules) == (sys.argv[3] == "shown")
"""


def seen_on_a_terminal(patience: float, quiet: str, expected: str) -> str:
    """Return what the work writes to a terminal on its standard error."""
    screen, terminal = pty.openpty()
    command = [sys.executable, "-c", WORK, str(patience), quiet, expected]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, stderr=terminal, cwd=TESTS, env=environment) as run:
        os.close(terminal)
        text = b"".join(iter(lambda: _read(screen), b""))
    os.close(screen)
    assert run.returncode == 0
    return text.decode()


def _read(screen: int) -> bytes:
    """Return what is on a terminal; nothing when everybody has left it."""
    try:
        return os.read(screen, 1 << 16)
    except OSError:
        return b""


def test_a_terminal_sees_bytes_rate_and_time_left_of_long_work() -> None:
    text = seen_on_a_terminal(0, "loud", "shown")
    assert "50.0/50.0 MB" in text
    assert "MB/s" in text or "GB/s" in text
    assert "0:00:00" in text


@pytest.mark.parametrize(("patience", "quiet"), [(60, "loud"), (0, "quiet")])
def test_short_work_and_quiet_work_show_nothing(patience: float, quiet: str) -> None:
    assert seen_on_a_terminal(patience, quiet, "hidden") == ""


def test_a_pipe_gets_no_bar() -> None:
    run = subprocess.run(
        [sys.executable, "-c", WORK, "0", "loud", "hidden"], capture_output=True, check=True
    )
    assert (run.stdout, run.stderr) == (b"", b"")
