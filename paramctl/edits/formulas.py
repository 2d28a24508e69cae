"""The values that an expression gives a region of a tensor, a box of it at a time."""

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from paramctl.arrays import read
from paramctl.checkpoint import Entry, Storage
from paramctl.dtypes import DTYPES
from paramctl.edits.regions import Region
from paramctl.errors import ExpressionError
from paramctl.expressions.evaluation import CONSTANTS, OPERATORS
from paramctl.expressions.quoting import closest
from paramctl.expressions.tree import Call, List, Name, Negative, Node, Number, Operation, String
from paramctl.slices import Box, select, shape_of
from paramctl.sources import BytesSource
from paramctl.widening import Array, value_type

FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int]] = {  # and how many arguments each takes
    "abs": (np.abs, 1),
    "sqrt": (np.sqrt, 1),
    "exp": (np.exp, 1),
    "log": (np.log, 1),
    "min": (np.minimum, 2),
    "max": (np.maximum, 2),
    "clip": (np.clip, 3),
    "where": (np.where, 3),
}


def _power(base: Any, exponent: Any) -> Any:
    """Raise to a power; numbers as floats, since Python's whole ones would grow without bound."""
    if isinstance(base, int | float) and isinstance(exponent, int | float):
        return math.pow(base, exponent)
    if isinstance(exponent, int | float) and exponent < 0 and base.dtype.kind in "iu":
        raise ValueError("whole numbers have no negative powers")
    return base**exponent


ARRAY_OPERATORS = {**OPERATORS, "**": _power}
BY_NUMPY = {dtype.numpy: dtype for dtype in DTYPES if dtype.numpy}

Find = Callable[[Node, str], Entry]  # the parameter that a name in an expression means


class Formula(NamedTuple):
    """An expression, and the entries that its names and lists mean, laid out over the region.

    Arithmetic is numpy's, where a number adapts to the type of what it meets, as in torch; that of
    floats of 16 and 8 bits is done in float32.
    """

    tree: Node
    operands: dict[Node, Entry]

    @classmethod
    def of(cls, tree: Node, region: Region, find: Find) -> "Formula":
        """Look up the operands of an expression.

        Raises:
            UsageError: a name or function is unknown, or a shape does not fit the region's.
        """
        meanings = {node: _meaning(node, find) for node in _walk(tree)}
        return cls(tree, {node: region.lay_out(entry) for node, entry in meanings.items() if entry})

    def values(self, box: Box) -> Array:
        """Return the values for a box of the region."""
        entries = {node: select(entry, box) for node, entry in self.operands.items()}
        values = {  # each is read but once
            entry: read(entry).astype(_computed_type(entry), copy=False)
            for entry in set(entries.values())
        }
        read_box = {node: values[entry] for node, entry in entries.items()}
        with np.errstate(all="ignore"):
            return np.broadcast_to(_evaluate(self.tree, read_box), shape_of(box))

    def result(self) -> Any:
        """Return a number, where the expression is one, or an empty array of the type it gives."""
        empty = {node: np.empty(0, _computed_type(entry)) for node, entry in self.operands.items()}
        with np.errstate(all="ignore"):
            return _evaluate(self.tree, empty)


def _computed_type(entry: Entry) -> np.dtype[Any]:
    return np.dtype("<f4") if entry.dtype.name == "float16" else value_type(entry.dtype)


def _walk(node: Node) -> Iterator[Node]:
    """Yield the parts of an expression; a list is one part."""
    yield node
    match node:
        case Negative(operand=operand):
            yield from _walk(operand)
        case Operation(first=first, rest=rest):
            for operand in (first, *(operand for _, operand in rest)):
                yield from _walk(operand)
        case Call():
            _check_call(node)
            for argument in node.arguments:
                yield from _walk(argument)


def _meaning(node: Node, find: Find) -> Entry | None:
    """Return the entry that a part of an expression stands for, None where it stands for none."""
    match node:
        case Name(name=name) if name not in CONSTANTS:
            return find(node, name)
        case String(text=text):
            return find(node, text)
        case List():
            return _constant(node)
    return None


def _check_call(node: Call) -> None:
    if node.name not in FUNCTIONS:
        what = f"no function is called '{node.name}'"
        raise ExpressionError(what, node.column, hint=closest(node.name, FUNCTIONS))
    takes, given = FUNCTIONS[node.name][1], len(node.arguments)
    if takes != given:
        raise ExpressionError(f"{node.name} takes {takes} arguments, not {given}", node.column)


def _constant(node: List) -> Entry:
    """Return a list's numbers as an entry in memory."""
    try:
        values = np.asarray(_numbers(node))
    except ValueError as error:
        raise ExpressionError("the lists in a list differ in length", node.column) from error
    if values.dtype.kind not in "biuf":
        raise ExpressionError("a list holds numbers of 64 bits at most", node.column)
    values = values.astype(values.dtype.newbyteorder("<"))
    source = BytesSource(values.tobytes(), str(node))
    dtype = BY_NUMPY[values.dtype.str]
    return Entry(str(node), dtype, values.shape, Storage.whole(source))


def _numbers(node: Node) -> Any:
    if isinstance(node, List):
        return [_numbers(item) for item in node.items]
    return _evaluate(node, {})


def _evaluate(node: Node, values: Mapping[Node, Array]) -> Any:
    if node in values:
        return values[node]
    match node:
        case Number(value=value):
            return value
        case Name(name=name) if name in CONSTANTS:
            return CONSTANTS[name]
        case Negative(operand=operand):
            return _apply(node, operator.neg, _evaluate(operand, values))
        case Operation(first=first, rest=rest):
            result = _evaluate(first, values)
            for sign, operand in rest:
                result = _apply(node, ARRAY_OPERATORS[sign], result, _evaluate(operand, values))
            return result
        case Call(name=name, arguments=arguments):
            evaluated = (_evaluate(argument, values) for argument in arguments)
            return _apply(node, FUNCTIONS[name][0], *evaluated)
    raise ExpressionError(f"expected a number, found {node}", node.column)


def _apply(node: Node, function: Callable[..., Any], *operands: Any) -> Any:
    try:
        return function(*operands)
    except (ArithmeticError, ValueError, TypeError) as error:  # of numbers, and of odd types
        raise ExpressionError(str(error), node.column) from error
