"""Schemes that are not paramctl's: functions in a user's file or in an installed package.

Such a function either takes the shape and a numpy Generator and returns values, or is made with
`@scheme` and returns a distribution. It is the user's own code, named by the user: nothing in a
model file leads here.
"""

import inspect
from collections.abc import Callable
from typing import Any

from paramctl.errors import UsageError
from paramctl.init.distributions import Distribution
from paramctl.init.python import Python
from paramctl.init.scheme import Function, Scheme, read_parameters
from paramctl.init.targets import Target
from paramctl.user_code import blaming_user, load_function


def load_scheme(file: str, name: str) -> Scheme:
    """Run a user's Python file and return the scheme of this name in it.

    Raises:
        UsageError: there is no such file or function, or the file's code fails.
    """
    return adopt(load_function(file, name), f"{file}:{name}", f"{file}:{name}")


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
