"""YAML as recipes and specs need it: mappings, lists and texts, each with its line and column.

Nothing is constructed. A scalar is its text, so `no`, `2020-13-45` and `0.10` are what they look
like; tags, anchors and aliases are refused, and so are keys that come twice.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from yaml.reader import ReaderError

from paramctl.doors import Words
from paramctl.errors import ExpressionError, UsageError
from paramctl.expressions.quoting import closest

MAX_DEPTH = 64
AS_UTF8 = "save it as UTF-8 without a mark"
_STAR = "what begins with * needs quotes"
_HINTS = {
    "while scanning an alias": _STAR,
    "mapping values are not allowed here": "what holds ': ' needs quotes",
}


def read_document(data: bytes, max_nodes: int) -> yaml.Node:
    """Return the root of the one document in `data`, of at most so many keys and values.

    Raises:
        UsageError: it is not the YAML described above; says at which line and column.
    """
    text = _decode(data)
    try:
        root = _Loader(text, max_nodes).get_single_node()
    except ReaderError as error:
        line = text.count("\n", 0, error.position)
        column = error.position - text.rfind("\n", 0, error.position) - 1
        raise UsageError("a character that YAML forbids", where=_place(line, column)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = _place(mark.line, mark.column) if mark else ""
        hint = _HINTS.get(error.context or "") or _HINTS.get(error.problem or "", "")
        raise UsageError(f"no YAML: {error.problem}", where=where, hint=hint) from error
    if root is None:
        raise UsageError("an empty file")
    return root


def read_mapping(
    node: yaml.Node, what: str, keys: Collection[str] | None = None
) -> dict[str, yaml.Node]:
    """Return the values of a mapping; where there are `keys`, no others are allowed.

    Raises:
        UsageError: it is no mapping, a key is no text or comes twice, or is none of `keys`.
    """
    if not isinstance(node, yaml.MappingNode):
        raise error_at(node, f"{what} is no mapping")
    values: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = read_text(key, "a key")
        if keys is not None and name not in keys:
            raise error_at(key, f"{what} has no '{name}'", hint=closest(name, keys))
        if name in values:
            raise error_at(key, f"'{name}' comes twice")
        values[name] = value
    return values


def read_list(node: yaml.Node, what: str) -> list[yaml.Node]:
    """Return the items of a list.

    Raises:
        UsageError: it is no list.
    """
    if not isinstance(node, yaml.SequenceNode):
        raise error_at(node, f"{what} is no list")
    items: list[yaml.Node] = node.value
    return items


def read_text(node: yaml.Node, what: str) -> str:
    """Return the text of a scalar.

    Raises:
        UsageError: it is no scalar, or empty.
    """
    if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
        raise error_at(node, f"{what} is no text")
    text: str = node.value
    return text


def error_at(node: yaml.Node, what: str, *, hint: Words = "") -> UsageError:
    """Return an error that says where in the document it is."""
    where = _place(node.start_mark.line, node.start_mark.column)
    return UsageError(what, where=where, hint=hint)


@contextmanager
def placing(node: yaml.Node, hint: str = "") -> Iterator[None]:
    """Give an error in a scalar its place in the document, and a hint if it has none."""
    try:
        yield
    except UsageError as error:
        column = node.start_mark.column
        if isinstance(error, ExpressionError) and isinstance(node, yaml.ScalarNode):
            column += _offset(node, error.column)
        where = _place(node.start_mark.line, column)
        raise UsageError(error.what, where=where, hint=error.hint or hint) from error


def _offset(node: yaml.ScalarNode, column: int) -> int:
    """Return how far behind a scalar's start a column of it is; 0 if it is not as in the file."""
    quotes = bool(node.style)
    size = node.end_mark.index - node.start_mark.index
    return column + quotes if size == len(node.value) + 2 * quotes else 0


class _Loader(yaml.BaseLoader):
    """Composes nodes and makes no objects of them."""

    def __init__(self, stream: str, max_nodes: int) -> None:
        super().__init__(stream)
        self.max_nodes = max_nodes
        self.depth = self.nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose what comes next, unless it is more than a document needs."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _refusal(event, f"an alias, which is not allowed; {_STAR}")
        if event.anchor or event.tag:
            raise _refusal(event, "an anchor or a tag, which is not allowed")
        if self.depth == MAX_DEPTH:
            raise _refusal(event, f"nested more than {MAX_DEPTH} deep")
        if self.nodes == self.max_nodes:
            raise _refusal(event, f"more than {self.max_nodes:,} keys and values")
        self.nodes += 1
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _refusal(event: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def _decode(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start)
        raise UsageError("no UTF-8", where=f"line {line + 1}", hint=AS_UTF8) from error
    if text.startswith("\ufeff"):
        raise UsageError("a byte order mark", where=_place(0, 0), hint=AS_UTF8)
    return text


def _place(line: int, column: int) -> str:
    return f"line {line + 1}, column {column + 1}"
