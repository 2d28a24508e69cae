"""The values of a spec: numbers, texts, true and false, lists of them, and `${expressions}`."""

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

import yaml

from paramctl.documents import error_at, placing, read_mapping
from paramctl.errors import ExpressionError
from paramctl.expressions.evaluation import evaluate_number
from paramctl.expressions.parser import parse
from paramctl.expressions.quoting import quoting

Variables = Mapping[str, float]

MAX_DIGITS = 20  # of a whole number: 2^64 has as many
MAX_EXACT = 1 << 53  # whole numbers up to here are what a float says they are

_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_WHOLE = re.compile(r"[-+]?\d+")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_NO_NUMBER = re.compile(r"[-+]?\.?(?:inf(?:inity)?|nan)", re.IGNORECASE)
_EXPRESSION = re.compile(rb"\$\{[^}\n]*\}")
_MARKS = "{},[]:#"  # what would end a plain scalar of YAML
_HIDDEN = {ord(mark): 0xE000 + place for place, mark in enumerate(_MARKS)}
_SHOWN = {hidden: mark for mark, hidden in _HIDDEN.items()}


def hide_expressions(data: bytes) -> bytes:
    """Make `${a + b}` a plain scalar of YAML wherever it stands, also in `[${d}, 8]`.

    The signs within that YAML gives a meaning become characters of Unicode's private use area, so
    that lines and columns stay what they are; `read_value` makes them signs again.
    """
    return _EXPRESSION.sub(
        lambda match: match[0].decode(errors="replace").translate(_HIDDEN).encode(), data
    )


def read_value(node: yaml.Node, variables: Variables) -> Any:
    """Return a scalar, or a list of them: None, true or false, a number, a text, a tuple.

    Raises:
        UsageError: it is a mapping, no finite number, or an expression without a value; says where.
    """
    if isinstance(node.value, str):
        return _read_scalar(node, variables)
    if not isinstance(node, yaml.SequenceNode):
        raise error_at(node, "a mapping where a value is expected")
    return tuple(read_value(item, variables) for item in node.value)


def read_variables(node: yaml.Node) -> dict[str, float]:
    """Return the variables of a spec; each is a number or an expression in those before it.

    Raises:
        UsageError: one is no number; says where.
    """
    variables: dict[str, float] = {}
    for name, value in read_mapping(node, "vars").items():
        if not name.isidentifier():
            raise error_at(value, f"'{name}' cannot name a variable")
        number = read_value(value, variables)
        if type(number) not in (int, float):
            raise error_at(value, f"'{name}' is no number")
        variables[name] = number
    return variables


def read_plain(node: yaml.Node) -> Any:
    """Return a part of a document as JSON has it; an expression stays what it is.

    Raises:
        UsageError: a scalar is no finite number; says where.
    """
    if isinstance(node, yaml.MappingNode):
        return {key.value: read_plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [read_plain(item) for item in node.value]
    text: str = node.value.translate(_SHOWN)
    return text if _is_expression(text) else _read_text(node, text)


def _is_expression(text: str) -> bool:
    return text.startswith("${") and text.endswith("}")


def _read_scalar(node: yaml.Node, variables: Variables) -> Any:
    text: str = node.value.translate(_SHOWN)
    return _evaluate(node, text, variables) if _is_expression(text) else _read_text(node, text)


def _read_text(node: yaml.Node, text: str) -> Any:
    if getattr(node, "style", None):
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _WHOLE.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise error_at(node, f"a number of more than {MAX_DIGITS} digits")
        return int(text)
    if _NO_NUMBER.fullmatch(text) or (_NUMBER.fullmatch(text) and not isfinite(float(text))):
        raise error_at(node, f"'{text}' is no finite number")
    return float(text) if _NUMBER.fullmatch(text) else text


def _evaluate(node: yaml.Node, text: str, variables: Variables) -> int | float:
    """Return the number that `${...}` stands for; a whole one is an int."""
    hint = ", ".join(f"{name} = {value:g}" for name, value in variables.items())
    with placing(node, hint or "define it in vars"), quoting(text):
        value = evaluate_number(parse(text[:-1], len("${")), variables)
        if abs(value) > MAX_EXACT:
            raise ExpressionError("the number is too large", len("${"))
    return int(value) if value == int(value) else value
