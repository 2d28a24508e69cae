"""The number, string or list that a syntax tree stands for."""

import math
import operator
from collections.abc import Callable, Mapping
from typing import TypeAlias

from paramctl.errors import ExpressionError
from paramctl.expressions.quoting import closest
from paramctl.expressions.tree import (
    Call,
    List,
    Name,
    Negative,
    Node,
    Number,
    Operation,
    String,
)

Value: TypeAlias = "float | str | tuple[Value, ...]"

CONSTANTS = {"pi": math.pi, "e": math.e}
FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "abs": abs,
    "min": min,
    "max": max,
}
OPERATORS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": math.pow,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def evaluate(node: Node, variables: Mapping[str, float] = CONSTANTS) -> Value:
    """Return what a tree stands for; arithmetic is done in floats, and a comparison is 0 or 1.

    Raises:
        ExpressionError: a name or a function that is not known, or no finite number.
    """
    match node:
        case Number(value=value) | String(text=value):
            return value
        case List(items=items):
            return tuple(evaluate(item, variables) for item in items)
        case Negative(operand=operand):
            return -evaluate_number(operand, variables)
        case Operation():
            return _operation(node, variables)
        case Call(name=name) if name in FUNCTIONS:
            numbers = [evaluate_number(argument, variables) for argument in node.arguments]
            return _apply(node, name, FUNCTIONS[name], numbers)
        case Name(name=name) if name in variables:
            return variables[name]
    raise _unknown(node, variables)


def evaluate_number(node: Node, variables: Mapping[str, float] = CONSTANTS) -> float:
    """Return the number that a tree stands for.

    Raises:
        ExpressionError: as `evaluate`, or it stands for a string or a list.
    """
    value = evaluate(node, variables)
    if isinstance(value, str | tuple):
        raise ExpressionError(f"expected a number, found '{node}'", node.column)
    return value


def _operation(node: Operation, variables: Mapping[str, float]) -> float:
    value = evaluate_number(node.first, variables)
    for sign, operand in node.rest:
        right = evaluate_number(operand, variables)
        value = _apply(node, sign, OPERATORS[sign], [value, right])
    return value


def _apply(node: Node, name: str, function: Callable[..., float], numbers: list[float]) -> float:
    """Call a function of floats; Python's integers would grow without bound."""
    try:
        value = float(function(*map(float, numbers)))
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ExpressionError(f"'{name}' has no value here: {error}", node.column) from error
    if not math.isfinite(value):
        raise ExpressionError(f"'{name}' gives too large a number", node.column)
    return value


def _unknown(node: Node, variables: Mapping[str, float]) -> ExpressionError:
    if isinstance(node, Call):
        hint = closest(node.name, FUNCTIONS)
        return ExpressionError(f"no function is called '{node.name}'", node.column, hint=hint)
    if isinstance(node, Name):
        hint = closest(node.name, variables)
        return ExpressionError(f"no number is called '{node.name}'", node.column, hint=hint)
    return ExpressionError(f"expected a number, found '{node}'", node.column)
