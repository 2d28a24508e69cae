"""The scheme language: `normal(std=0.02)`, `mixture(1/2: zeros, 1/2: ones)`, `file.py:function`."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from paramctl.errors import ArgumentError, ExpressionError, TargetError, UsageError
from paramctl.expressions.evaluation import CONSTANTS, Value, evaluate, evaluate_number
from paramctl.expressions.parser import parse
from paramctl.expressions.quoting import closest, quoting
from paramctl.expressions.tree import Call, Keyword, Name, Node, Pair
from paramctl.init import registry
from paramctl.init.distributions import FLOAT32_MAX, Constant, Distribution
from paramctl.init.scheme import REQUIRED, Parameter, Scheme, write
from paramctl.init.targets import Target
from paramctl.init.users import load_scheme

_IN_A_FILE = re.compile(r"\s*(?P<file>[^()\"']+\.py):(?P<function>[^\W\d]\w*)")
_NO_TARGET = Target("", ())


_KINDS: Mapping[Any, tuple[Any, str]] = {
    float: (int | float, "a number"),
    int: (int | float, "a whole number"),
    str: (str, "a word in quotes"),
    float | str: (int | float | str, "a number or a word in quotes"),
    None: (object, "anything"),
}


@dataclass(frozen=True)
class BoundScheme:
    """A scheme with its parameters; `str` is the text that parses to it again.

    `arguments` are those that were given and are not the defaults.
    """

    scheme: Scheme
    arguments: Mapping[str, Value]
    parts: "tuple[tuple[float, BoundScheme], ...]" = ()

    def distribution(self, target: Target) -> Distribution:
        """Return what the scheme makes of a parameter.

        Raises:
            UsageError: it cannot fill it; names the parameter.
        """
        parts = [(weight, part.distribution(target)) for weight, part in self.parts]
        return self.scheme.function(target, *parts, **self.arguments)

    def __str__(self) -> str:
        written = [f"{write(weight)}: {part}" for weight, part in self.parts]
        for place, parameter in enumerate(self.scheme.parameters):
            if parameter.name in self.arguments:
                value = write(self.arguments[parameter.name])
                plain = place == 0 and parameter.default is REQUIRED
                written.append(value if plain else f"{parameter.name}={value}")
        return f"{self.scheme.name}({', '.join(written)})" if written else self.scheme.name


def parse_scheme(text: str, numbers: Mapping[str, float] = CONSTANTS) -> BoundScheme:
    """Return the scheme that a text names, its parameters checked; `numbers` have names in it.

    Raises:
        ExpressionError: it does not parse, names no scheme, or a parameter of it is wrong.
    """
    with quoting(text):
        place = _IN_A_FILE.match(text)
        if not place:
            return _bind(parse(text), numbers)
        tree = parse(text, place.start("function"))
        with _at(place.start("file")):
            scheme = load_scheme(place["file"], place["function"])
        return _bind(tree, numbers, scheme)


def names_a_file(text: str) -> bool:
    """Whether a text names a function in a Python file, which would be run."""
    return bool(_IN_A_FILE.match(text))


def _bind(node: Node, numbers: Mapping[str, float], scheme: Scheme | None = None) -> BoundScheme:
    """Read a scheme's call, or its name alone; its name is looked up where no scheme is given."""
    if not isinstance(node, Name | Call):
        raise ExpressionError(f"expected a scheme, found '{node}'", node.column)
    if scheme is None:
        with _at(node.column):
            scheme = registry.find(node.name)
    given = node.arguments if isinstance(node, Call) else ()
    pairs = [argument for argument in given if isinstance(argument, Pair)]
    if pairs and not scheme.takes_parts:
        raise ExpressionError(f"'{scheme.name}' is no mixture", pairs[0].column)
    parts = tuple(
        (evaluate_number(pair.weight, numbers), _bind(pair.value, numbers)) for pair in pairs
    )
    others = [argument for argument in given if not isinstance(argument, Pair)]
    named = _name_arguments(scheme, others, node.column)
    bound = BoundScheme(scheme, _read_arguments(scheme, named, numbers), parts)
    weights = {f"weight {place}": pair.weight for place, pair in enumerate(pairs, start=1)}
    _check(bound, node, named | weights)
    return bound


def _name_arguments(scheme: Scheme, given: list[Node], column: int) -> dict[str, Node]:
    """Return the values of a scheme's parameters, as far as they are given."""
    named: dict[str, Node] = {}
    for place, argument in enumerate(given):
        name, node = _name_argument(scheme, argument, place)
        if name in named:
            raise ExpressionError(f"'{name}' is given twice", argument.column)
        named[name] = node
    for parameter in scheme.parameters:
        if parameter.default is REQUIRED and parameter.name not in named:
            what = f"'{scheme.name}' needs '{parameter.name}'"
            raise ExpressionError(what, column, hint=scheme.usage)
    return named


def _read_arguments(
    scheme: Scheme, named: Mapping[str, Node], numbers: Mapping[str, float]
) -> dict[str, Value]:
    """Return the values that are not the defaults, in the order of the parameters."""
    given = [parameter for parameter in scheme.parameters if parameter.name in named]
    values = [(each, _read(named[each.name], each, numbers)) for each in given]
    return {each.name: value for each, value in values if value != each.default}


def _name_argument(scheme: Scheme, argument: Node, place: int) -> tuple[str, Node]:
    """Return which parameter an argument is for, and its value."""
    names = [parameter.name for parameter in scheme.parameters]
    if isinstance(argument, Keyword):
        if argument.name not in names:
            what = f"'{scheme.name}' has no parameter '{argument.name}'"
            hint = closest(argument.name, names) if names else scheme.usage
            raise ExpressionError(what, argument.column, hint=hint)
        return argument.name, argument.value
    if place >= len(names):
        raise ExpressionError("one argument too many", argument.column, hint=scheme.usage)
    return names[place], argument


def _read(node: Node, parameter: Parameter, numbers: Mapping[str, float]) -> Value:
    """Return an argument's value, which must be of the parameter's kind."""
    name, kind = parameter.name, parameter.kind
    if isinstance(node, Name) and node.name not in numbers and kind in (str, float | str):
        what = f"'{node.name}' needs quotes"
        raise ExpressionError(what, node.column, hint=f'write {name}="{node.name}"')
    value = evaluate(node, numbers)
    types, what = _KINDS[kind]
    if not isinstance(value, types) or (kind is int and value != int(value)):
        raise ExpressionError(f"{name} is {what}", node.column)
    if isinstance(value, int | float) and abs(value) > FLOAT32_MAX:
        raise ExpressionError(f"{name} is too large for float32", node.column)
    return int(value) if kind is int else value


def _check(bound: BoundScheme, node: Node, named: Mapping[str, Node]) -> None:
    """Refuse what is wrong for any parameter; users' code is not called before it is needed.

    The error points at the argument that is to blame.
    """
    if bound.scheme.origin:
        return
    parts = [(weight, Constant(0.0)) for weight, _ in bound.parts]
    try:
        with suppress(TargetError):
            bound.scheme.function(_NO_TARGET, *parts, **bound.arguments)
    except ArgumentError as error:
        blamed = next((named[name] for name in error.names if name in named), node)
        raise ExpressionError(error.what, blamed.column, hint=error.hint) from error


@contextmanager
def _at(column: int) -> Iterator[None]:
    """Give an error of a scheme the place where the scheme is named."""
    try:
        yield
    except ExpressionError:
        raise
    except UsageError as error:
        raise ExpressionError(error.what, column, hint=error.hint) from error
