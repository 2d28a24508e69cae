"""The variables of a recipe: numbers that the model tells, such as its depth and its width."""

from dataclasses import replace

import yaml

from paramctl.addresses import find_nodes
from paramctl.checkpoint import Checkpoint
from paramctl.documents import error_at, placing, read_mapping, read_text
from paramctl.errors import ExpressionError, NoMatchError
from paramctl.expressions.evaluation import CONSTANTS, FUNCTIONS, evaluate_number
from paramctl.expressions.parser import parse
from paramctl.expressions.quoting import quoting
from paramctl.expressions.tree import Call, Negative, Node, Number, Operation, String

TAKEN = {*CONSTANTS, *FUNCTIONS, "count", "size"}


def read_variables(node: yaml.Node, checkpoint: Checkpoint) -> dict[str, float]:
    """Return the variables of a model; each is an expression in numbers and those before it.

    `count("h.*")` is how many parameters and layers an address leads to, 0 if none;
    `size("wte.weight", 1)` is a dimension's size, which must be the same in all parameters that
    the address leads to.

    Raises:
        UsageError: one has no value; says at which line and column.
    """
    variables: dict[str, float] = {}
    for name, value in read_mapping(node, "vars").items():
        if not name.isidentifier() or name in TAKEN:
            raise error_at(value, f"'{name}' cannot name a variable")
        text = read_text(value, f"'{name}'")
        with placing(value), quoting(text):
            tree = _look_up(parse(text), checkpoint)
            variables[name] = evaluate_number(tree, CONSTANTS | variables)
    return variables


def _look_up(node: Node, checkpoint: Checkpoint) -> Node:
    """Put numbers in the place of `count` and `size`."""
    match node:
        case Call(name="count", arguments=(String(text=address),)):
            return Number(_count(checkpoint, address), column=node.column)
        case Call(name="size", arguments=(String(text=address), dimension)):
            return Number(_size(checkpoint, node, address, dimension), column=node.column)
        case Call(name="count" | "size"):
            hint = 'write count("h.*"), size("wte.weight", 1)'
            raise ExpressionError(f"no arguments for '{node.name}'", node.column, hint=hint)
        case Call(arguments=arguments):
            looked_up = tuple(_look_up(argument, checkpoint) for argument in arguments)
            return replace(node, arguments=looked_up)
        case Negative(operand=operand):
            return replace(node, operand=_look_up(operand, checkpoint))
        case Operation(first=first, rest=rest):
            links = tuple((sign, _look_up(operand, checkpoint)) for sign, operand in rest)
            return replace(node, first=_look_up(first, checkpoint), rest=links)
    return node


def _count(checkpoint: Checkpoint, address: str) -> int:
    try:
        return len(find_nodes(checkpoint.entries, address))
    except NoMatchError:
        return 0


def _size(checkpoint: Checkpoint, node: Node, address: str, dimension: Node) -> int:
    place = evaluate_number(dimension)
    nodes = find_nodes(checkpoint.entries, address)
    shapes = [checkpoint[name].shape for name in nodes if name in checkpoint.entries]
    if not shapes:
        raise ExpressionError(f"'{address}' is no parameter", node.column)
    if place not in range(min(map(len, shapes))):
        raise ExpressionError(f"'{address}' has no dimension {place:g}", node.column)
    sizes = sorted({shape[int(place)] for shape in shapes})
    if len(sizes) > 1:
        listed = ", ".join(map(str, sizes[:3]))
        raise ExpressionError(f"'{address}' has several sizes: {listed}", node.column)
    return sizes[0]
