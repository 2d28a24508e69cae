"""Run `paramctl` many times: each run is a fork of one process that has imported the program.

It has streams, an exit code, a time and a memory peak as any process has, without the start-up.
"""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from program import Run

SAMPLE = Path(__file__).parents[1] / "sample_models" / "mlp.pt"
MAX_SECONDS = 60
SERVER = f"""
import json, os, signal, sys
from paramctl.__main__ import main

replies = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
modules, sys.argv = sys.argv[1:], ["paramctl", "ls", {str(SAMPLE)!r}]
main()  # imports what the program imports when it is asked for

for module in modules:
    __import__(module)

def run(arguments, out, err):
    signal.alarm({MAX_SECONDS})
    for stream, path in enumerate([os.devnull, out, err]):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), stream)
    sys.argv = ["paramctl", *arguments]
    code = 1
    try:
        code = main()
        sys.stderr.flush()
    finally:
        os._exit(code)

for request in sys.stdin:
    child = os.fork() or run(*json.loads(request))
    _, status, usage = os.wait4(child, 0)
    seconds = usage.ru_utime + usage.ru_stime
    reply = [os.waitstatus_to_exitcode(status), usage.ru_maxrss, seconds]
    print(json.dumps(reply), file=replies, flush=True)
"""


class Forks:
    """The process that forks; `folder` is for the streams of its children.

    It imports `modules` too, so that its children find them there.
    """

    def __init__(self, folder: Path, *modules: str) -> None:
        self._out, self._err = folder / "out", folder / "err"
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._server.communicate()

    def run(self, *arguments: str | Path) -> Run:
        """Run the program with these arguments."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        request = [[str(argument) for argument in arguments], str(self._out), str(self._err)]
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        code, kilobytes, seconds = json.loads(self._server.stdout.readline())
        out, err = (
            p.read_bytes().decode("utf-8", "surrogateescape") for p in (self._out, self._err)
        )
        return Run(code, out, err, kilobytes / 1024, seconds)
