"""Patterns: dotted names in which a part may stand for several, followed through the layers.

`*` is anything within a part, `?` a character, `**` any number of parts; `[0-3]` and `[0,2..10]`
are the numbers at the end of a part.
"""

import re
from collections.abc import Iterator

from paramctl.layers import Layer, split_number

RANGE = r"\[\d{1,9}(?:-|,\d{1,9}\.\.)\d{1,9}\]"

_DOT = re.compile(r"\.(?!\.?\d{1,9}\])")  # not those of a range
_RANGED = re.compile(rf"(.*)({RANGE})", re.DOTALL)
_NUMBER = re.compile(r"\d+")


def split_parts(pattern: str) -> list[str]:
    """Split a pattern at its dots."""
    return _DOT.split(pattern)


def follow(layer: Layer, parts: list[str]) -> Iterator[Layer]:
    """Yield the nodes below `layer` that the parts of a pattern lead to."""
    stack: list[tuple[Layer, int]] = [(layer, 0)]
    seen: set[int] = set()  # of nodes and places, as one number: a tuple takes five times as much
    while stack:
        node, place = stack.pop()
        if (visit := id(node) * (len(parts) + 1) + place) in seen:
            continue
        seen.add(visit)
        if place == len(parts):
            yield node
        elif parts[place] == "**":
            stack += [(child, place) for child in reversed(node.children.values())]
            stack.append((node, place + 1))
        else:
            chosen = _children(node, parts[place])
            stack += [(child, place + 1) for child in reversed(chosen)]


def _children(layer: Layer, part: str) -> list[Layer]:
    ranged = _RANGED.fullmatch(part) if part.endswith("]") else None
    if ranged:
        return _numbered(layer, ranged[1], ranged[2])
    if any(wild in part for wild in "*?"):
        matches = _compile(part).fullmatch
        return [child for name, child in layer.children.items() if matches(name)]
    return [layer.children[part]] if part in layer.children else []


def _numbered(layer: Layer, prefix: str, text: str) -> list[Layer]:
    """Return the children that are called `prefix` and a number in the range `[0-3]`."""
    first, *second, last = (int(number) for number in _NUMBER.findall(text))
    step = second[0] - first if second else 1
    numbers = range(first, last + (1 if step > 0 else -1), step) if step else ()
    return [
        child
        for name, child in layer.children.items()
        if (numbered := split_number(name)) and numbered[0] == prefix and numbered[1] in numbers
    ]


def _compile(part: str) -> re.Pattern[str]:
    """Compile one part of a pattern; atomic groups keep the match linear in the name."""
    first, *rest = (re.escape(chunk).replace(r"\?", ".") for chunk in part.split("*"))
    middle = "".join(f"(?>.*?{chunk})" for chunk in rest[:-1])
    return re.compile(first + middle + (f".*{rest[-1]}" if rest else ""), re.DOTALL)
