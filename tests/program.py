"""Run `paramctl` as users do: a process with streams, an exit code, a time and a memory peak."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, NamedTuple

PARAMCTL = str(Path(sys.executable).with_name("paramctl"))


class Run(NamedTuple):
    """What a finished process left: `megabytes` is its memory peak, `seconds` its wall time."""

    code: int
    out: str
    err: str
    megabytes: float
    seconds: float


def paramctl(
    *arguments: str | Path,
    stdin: bytes | IO[bytes] | None = None,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
) -> Run:
    """Run the installed program and wait for it; without `stdin` it gets /dev/null."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PARAMCTL_")}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            [PARAMCTL, *map(str, arguments)],
            stdin=subprocess.PIPE if isinstance(stdin, bytes) else stdin or subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=cwd,
            env=environment | (env or {}),
        )
        if isinstance(stdin, bytes):
            _feed(process, stdin)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        return Run(process.returncode, _text(out), _text(err), usage.ru_maxrss / 1024, seconds)


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
