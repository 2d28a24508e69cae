"""Run `copy` again and again, a signal coming at one place after the other.

The places are the ends of all calls of `os`, and where the bodies of the writer's contexts begin
and end.

The arguments are the signal, a folder as it is before, the folder to write in, and those of `copy`.
Prints what became of each run as JSON: its exit code, and what the folder holds then.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import _GeneratorContextManager
from pathlib import Path
from types import GeneratorType
from typing import Any, NoReturn

import pytest
from copy_verb import add_verb
from os_layer import Layer

from paramctl.__main__ import main
from paramctl.writer import files, sharded


def child(number: int, place: int, calls: Path) -> NoReturn:
    """Run the program, with the signal at this place among all; note their number."""
    at = -1

    def strike(_: object = None) -> None:
        nonlocal at
        at += 1
        calls.write_text(str(at))
        if at == place:
            os.kill(os.getpid(), number)

    os.dup2(real_open(os.devnull, os.O_WRONLY), 2)
    code = 70
    try:
        patch = pytest.MonkeyPatch()
        Layer(patch, after=strike)
        watch_contexts(patch, strike)
        code = main()
    finally:
        os._exit(code)


def watch_contexts(patch: pytest.MonkeyPatch, strike: Callable[[], None]) -> None:
    """Strike where a signal comes between a context of the writer and its body."""
    real_enter, real_exit = _GeneratorContextManager.__enter__, _GeneratorContextManager.__exit__

    def is_writers(context: _GeneratorContextManager[Any]) -> bool:
        assert isinstance(context.gen, GeneratorType)
        return context.gen.gi_code.co_filename in (files.__file__, sharded.__file__)

    def enter(context: _GeneratorContextManager[Any]) -> Any:
        value = real_enter(context)
        if is_writers(context):
            strike()
        return value

    def leave(context: _GeneratorContextManager[Any], *error: Any) -> bool | None:
        if is_writers(context):
            strike()
        return real_exit(context, *error)

    patch.setattr(_GeneratorContextManager, "__enter__", enter)
    patch.setattr(_GeneratorContextManager, "__exit__", leave)


def run(number: int, place: int, old: Path, folder: Path) -> dict[str, object]:
    """Run it once; the folder is as `old` before."""
    shutil.rmtree(folder, ignore_errors=True)
    if old.exists():
        shutil.copytree(old, folder)
    pid = os.fork() or child(number, place, old.parent / "calls")
    assert pid
    _, status = os.waitpid(pid, 0)
    found = folder.iterdir() if folder.exists() else None
    held = found and {path.name: path.read_bytes().hex() for path in found}
    return {"code": os.waitstatus_to_exitcode(status), "files": held}


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
