"""A scheme: a named function from a parameter to a distribution, and where it comes from."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from paramctl.expressions.tree import String
from paramctl.init.distributions import Distribution

Function = Callable[..., Distribution]
REQUIRED: Any = inspect.Parameter.empty
KINDS = (float, int, str, float | str)


class Parameter(NamedTuple):
    """A parameter of a scheme: `kind` is one of `KINDS`, or None; `default` may be `REQUIRED`."""

    name: str
    kind: Any
    default: Any

    def __str__(self) -> str:
        return self.name if self.default is REQUIRED else f"{self.name}={write(self.default)}"


class Scheme(NamedTuple):
    """A way to fill a parameter.

    `function` is called with the `Target`, the parts of a mixture as `(weight, distribution)` if
    `takes_parts`, and the `parameters` by name. `formula`, `mean` and `std` are text for people.
    `origin` is the file or the package that a user's scheme comes from, "" for one of paramctl's.
    """

    name: str
    function: Function
    parameters: tuple[Parameter, ...]
    takes_parts: bool
    summary: str
    formula: str
    source: str
    mean: str
    std: str
    aliases: tuple[str, ...]
    origin: str = ""

    @property
    def usage(self) -> str:
        """How it is called, with its defaults."""
        if self.takes_parts:
            return f"{self.name}(weight: scheme, ...)"
        return f"{self.name}({', '.join(map(str, self.parameters))})"


def scheme(
    *, formula: str, source: str = "", mean: str = "0", std: str = "", aliases: tuple[str, ...] = ()
) -> Callable[[Function], Scheme]:
    """Make a scheme of a function: its name and parameters are the function's."""

    def make(function: Function) -> Scheme:
        return Scheme(
            name=function.__name__,
            function=function,
            parameters=read_parameters(function, skip=1),
            takes_parts=_takes_parts(function),
            summary=inspect.getdoc(function) or "",
            formula=formula,
            source=source,
            mean=mean,
            std=std,
            aliases=aliases,
        )

    return make


def read_parameters(function: Callable[..., Any], skip: int) -> tuple[Parameter, ...]:
    """Return what a function takes by name, but for the first `skip` that it takes by place."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    signature = list(inspect.signature(function).parameters.values())[skip:]
    return tuple(
        Parameter(parameter.name, _kind_of(parameter), parameter.default)
        for parameter in signature
        if parameter.kind in named
    )


def write(value: Any) -> str:
    """Return the value of a parameter as users write it: 2.0 as 2, words in quotes."""
    if isinstance(value, str):
        return str(String(value))
    if isinstance(value, tuple):
        return f"[{', '.join(map(write, value))}]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return repr(int(value))
    return repr(value)


def _kind_of(parameter: inspect.Parameter) -> Any:
    return parameter.annotation if parameter.annotation in KINDS else None


def _takes_parts(function: Function) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
