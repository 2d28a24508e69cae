"""Code of the user's own, in a file that the user names: nothing in a model file leads here."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any

from paramctl.errors import ParamctlError, UsageError, find_near
from paramctl.expressions.quoting import closest

_one_at_a_time = RLock()  # as users expect of their code, and standard output is one for all


@contextmanager
def blaming_user(origin: str) -> Iterator[None]:
    """Make an error of ours of whatever a user's code raises, and say where it comes from.

    What it prints goes to standard error: standard output may be a model.
    """
    try:
        with _one_at_a_time, redirect_stdout(sys.stderr):
            yield
    except ParamctlError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{origin} raised {type(error).__name__}: {error}") from error


def load_function(file: str, name: str) -> Any:
    """Run a user's Python file and return what it calls `name`.

    Raises:
        UsageError: there is no such file or name, or the file's code fails.
    """
    if not Path(file).is_file():
        raise UsageError(f"no file '{file}'", hint=find_near(file))
    found = vars(_load_module(str(Path(file).resolve()), file))
    if name not in found:
        functions = [name for name, value in found.items() if callable(value)]
        raise UsageError(f"'{file}' has no '{name}'", hint=closest(name, functions))
    return found[name]


@cache
def _load_module(path: str, file: str) -> ModuleType:
    spec = spec_from_file_location(path, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"'{file}' is no Python file")
    module = module_from_spec(spec)
    sys.modules[path] = module  # dataclasses look their module up
    with blaming_user(file):
        spec.loader.exec_module(module)
    return module
