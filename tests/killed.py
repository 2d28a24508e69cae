"""Run `copy` again and again, a signal coming at the end of each call of `os` in turn.

The arguments are the signal, a folder as it is before, the folder to write in, and those of `copy`.
Prints what became of each run as JSON: its exit code, and what the folder holds then.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from copy_verb import add_verb
from os_layer import Layer

from paramctl.__main__ import main


def child(number: int, place: int, calls: Path) -> NoReturn:
    """Run the program, with the signal at the end of the call of this place; note their number."""

    def strike(at: int) -> None:
        calls.write_text(str(at))
        if at == place:
            os.kill(os.getpid(), number)

    os.dup2(real_open(os.devnull, os.O_WRONLY), 2)
    code = 70
    try:
        with pytest.MonkeyPatch.context() as patch:
            Layer(patch, after=strike)
            code = main()
    finally:
        os._exit(code)


def run(number: int, place: int, old: Path, folder: Path) -> dict[str, object]:
    """Run it once; the folder is as `old` before."""
    shutil.rmtree(folder, ignore_errors=True)
    if old.exists():
        shutil.copytree(old, folder)
    pid = os.fork() or child(number, place, old.parent / "calls")
    assert pid
    _, status = os.waitpid(pid, 0)
    found = folder.iterdir() if folder.exists() else None
    files = found and {path.name: path.read_bytes().hex() for path in found}
    return {"code": os.waitstatus_to_exitcode(status), "files": files}


real_open = os.open
if __name__ == "__main__":
    name, old, folder, *arguments = sys.argv[1:]
    add_verb()
    sys.argv = ["paramctl", "copy", *arguments]
    main()  # imports what the program imports when it is asked for
    number = getattr(signal, name)
    paths = Path(old), Path(folder)
    run(number, -1, *paths)
    count = int((Path(old).parent / "calls").read_text()) + 1
    runs = [run(number, place, *paths) for place in range(count)]
    sys.stdout.write(json.dumps([run(number, -1, *paths), *runs]))
