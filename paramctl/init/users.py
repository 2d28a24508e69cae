"""Schemes that are not paramctl's: functions in a user's file or in an installed package.

Such a function either takes the shape and a numpy Generator and returns values, or is made with
`@scheme` and returns a distribution. It is the user's own code, named by the user: nothing in a
model file leads here.
"""

import inspect
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from paramctl.errors import UsageError
from paramctl.expressions.quoting import closest
from paramctl.init.distributions import Distribution
from paramctl.init.python import Python, blaming_user
from paramctl.init.scheme import Function, Scheme, read_parameters
from paramctl.init.targets import Target


def load_scheme(file: str, name: str) -> Scheme:
    """Run a user's Python file and return the scheme of this name in it.

    Raises:
        UsageError: there is no such file or function, or the file's code fails.
    """
    if not Path(file).is_file():
        raise UsageError(f"no file '{file}'")
    found = vars(_load_module(str(Path(file).resolve()), file))
    if name not in found:
        functions = [name for name, value in found.items() if callable(value)]
        raise UsageError(f"'{file}' has no '{name}'", hint=closest(name, functions))
    return adopt(found[name], f"{file}:{name}", f"{file}:{name}")


def adopt(function: Any, name: str, origin: str) -> Scheme:
    """Return a scheme whose function's errors say where it comes from.

    Raises:
        UsageError: it is no function.
    """
    if isinstance(function, Scheme):
        guarded = _guard(function.function, origin)
        return function._replace(name=name, function=guarded, origin=origin)
    if not callable(function):
        raise UsageError(f"{origin} is no function")
    return Scheme(
        name=name,
        function=_wrap(function, origin),
        parameters=read_parameters(function, skip=2),
        takes_parts=False,
        summary=inspect.getdoc(function) or "",
        formula="",
        source=origin,
        mean="",
        std="",
        aliases=(),
        origin=origin,
    )


def _wrap(function: Callable[..., Any], origin: str) -> Function:
    """Make a scheme's function of one that returns values."""

    def made(target: Target, **arguments: Any) -> Distribution:
        return Python(function, target, arguments, origin)

    return made


def _guard(function: Function, origin: str) -> Function:
    def guarded(target: Target, *parts: Any, **arguments: Any) -> Distribution:
        with blaming_user(origin):
            distribution = function(target, *parts, **arguments)
        if not isinstance(distribution, Distribution):
            raise UsageError(f"{origin} returned {type(distribution).__name__}, no distribution")
        return distribution

    return guarded


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
