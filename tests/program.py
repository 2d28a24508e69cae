"""Run `paramctl` as users do: a process with streams, an exit code, a time and a memory peak."""

import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, NamedTuple

MARK = "--- usage: "
LAUNCHER = f"""
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
code = os.waitstatus_to_exitcode(status)
text = f"{MARK}{{code}} {{usage.ru_maxrss}} {{usage.ru_utime + usage.ru_stime}}"
os.write(2, text.encode())
"""  # the memory peak of a child begins with that of the process that it was forked from
PARAMCTL = str(Path(sys.executable).with_name("paramctl"))


class Run(NamedTuple):
    """What a finished process left: `megabytes` is its memory peak, `seconds` are of a processor.

    A busy machine does not add to those.
    """

    code: int
    out: str
    err: str
    megabytes: float
    seconds: float


def paramctl(
    *arguments: str | Path,
    stdin: bytes | IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
) -> Run:
    """Run the installed program and wait for it; without `stdin` it gets /dev/null.

    What goes to `stdout` is not in the run's `out`.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PARAMCTL_")}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            [sys.executable, "-ISc", LAUNCHER, PARAMCTL, *map(str, arguments)],
            stdin=subprocess.PIPE if isinstance(stdin, bytes) else stdin or subprocess.DEVNULL,
            stdout=stdout or out,
            stderr=err,
            cwd=cwd,
            env=environment | (env or {}),
        )
        if isinstance(stdin, bytes):
            _feed(process, stdin)
        process.wait()
        talk, _, usage = _text(err).rpartition(MARK)
        code, kilobytes, seconds = usage.split()
        return Run(int(code), _text(out), talk, int(kilobytes) / 1024, float(seconds))


def _feed(process: "subprocess.Popen[bytes]", data: bytes) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(data)
        process.stdin.close()
    except BrokenPipeError:
        pass


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "surrogateescape")


def shell(command: str, **variables: str | Path) -> "subprocess.CompletedProcess[bytes]":
    """Run a command of bash in which $P is the program."""
    environment = os.environ | {"P": PARAMCTL} | {k: str(v) for k, v in variables.items()}
    return subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, check=False
    )


def run_on_terminal(*arguments: str | Path, columns: int = 80, **variables: str) -> str:
    """Run the program on a pseudo-terminal and return what it writes there."""
    pid, terminal = pty.fork()
    if not pid:
        os.environ.update({"COLUMNS": str(columns), "TERM": "xterm-256color", **variables})
        os.execv(PARAMCTL, [PARAMCTL, *map(str, arguments)])  # noqa: S606 (a shell would add echo)
    chunks = []
    try:
        while chunk := os.read(terminal, 65536):
            chunks.append(chunk)
    except OSError:  # Linux says EIO when the other end is closed
        pass
    os.waitpid(pid, 0)
    os.close(terminal)
    return b"".join(chunks).decode().replace("\r\n", "\n")
