"""What a method is given, held against the types that its annotations say it takes.

Who has no type checker is told at the door, in one sentence, what does not fit and what would.
"""

import inspect
import os
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import wraps
from numbers import Integral, Real
from reprlib import Repr
from types import UnionType
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

from paramctl.checkpoint import Checkpoint
from paramctl.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")

_NUMBERS: dict[Any, type] = {int: Integral, float: Real}  # numpy's are of these, not of those
_SHOWN = (float, bool, bytes, os.PathLike, type(None))
_MODULE = re.compile(r"(?:\w+\.)+(?=\w)")
_OPTIONAL = re.compile(r"Optional\[(.*)\]")  # as Python prints `Literal[...] | None`


def checked(method: Callable[P, R]) -> Callable[P, R]:
    """Make a method refuse by a UsageError what its annotations say it does not take."""
    signature = inspect.signature(method)

    @wraps(method)
    def check(*args: P.args, **kwargs: P.kwargs) -> R:
        bound: Mapping[str, Any] = {}
        with suppress(TypeError):  # of a number or a name: Python says it below, with the method's
            bound = signature.bind(*args, **kwargs).arguments
        for name, given in bound.items():
            parameter = signature.parameters[name]
            for value in given if parameter.kind is parameter.VAR_POSITIONAL else (given,):
                if not _fits(value, parameter.annotation):
                    raise _error(method.__name__, parameter, value)
        return method(*args, **kwargs)

    return check


def _fits(value: object, wanted: Any) -> bool:
    """Whether a value, with all that it holds, is of an annotated type."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin is None:
        return wanted is inspect.Parameter.empty or isinstance(value, _NUMBERS.get(wanted, wanted))
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in arguments)
    if origin is Literal:
        return isinstance(value, str) and value in arguments
    if not isinstance(value, origin) or isinstance(value, str | bytes):  # which hold texts of one
        return False
    if isinstance(value, Mapping):
        return all(
            _fits(each, kind)
            for item in value.items()
            for each, kind in zip(item, arguments, strict=True)
        )
    return not isinstance(value, Collection) or all(_fits(each, arguments[0]) for each in value)


def _error(method: str, parameter: inspect.Parameter, value: object) -> UsageError:
    wanted = _MODULE.sub("", inspect.formatannotation(parameter.annotation))
    wanted = _OPTIONAL.sub(r"\1 | None", wanted)
    what = f"{method}() takes {parameter.name} as {wanted}, not {_Short().repr(value)}"
    return UsageError(what, hint=_advise(method, parameter, value))


def _advise(method: str, parameter: inspect.Parameter, value: object) -> str:
    """Return what to write instead, where it is known what was meant."""
    is_each = parameter.kind is parameter.VAR_POSITIONAL
    if is_each and isinstance(value, list | tuple | set):
        return f"{method}(*{parameter.name}) gives each by itself"
    if Checkpoint in (parameter.annotation, *get_args(parameter.annotation)):
        path = os.fspath(value) if isinstance(value, str | os.PathLike) else "FILE"
        return f"paramctl.open({path!r}) makes one"
    if isinstance(value, str) and _fits([value], parameter.annotation):
        return f"write [{value!r}]"
    return ""


class _Short(Repr):
    """Shows what was given in a few words: its type alone where it may be large."""

    def repr_instance(self, x: object, level: int) -> str:
        """Return what stands for anything but texts, whole numbers and what holds them."""
        return super().repr_instance(x, level) if isinstance(x, _SHOWN) else f"a {type(x).__name__}"
