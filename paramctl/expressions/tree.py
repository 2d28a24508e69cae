"""The syntax tree of an expression; `str` of a node is text that parses to it again.

A node's `column` counts characters from 0 and is no part of its identity. Operators of one rank
that follow one another are one node, so a tree is only as deep as its text nests.
"""

from dataclasses import dataclass, field

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
RANKS = (COMPARISONS, ("+", "-"), ("*", "/"))
_NEGATIVE, _POWER, _ATOM = 3, 4, 5
_RANK_OF = {sign: rank for rank, signs in enumerate(RANKS) for sign in signs} | {"**": _POWER}


@dataclass(frozen=True)
class Node:
    """A part of an expression; how tightly it binds tells where it needs parentheses."""

    column: int = field(default=0, compare=False, repr=False, kw_only=True)

    @property
    def rank(self) -> int:
        """How tightly it binds."""
        return _ATOM

    def at_least(self, rank: int) -> str:
        """Return its text, in parentheses if it binds less tightly than `rank`."""
        return str(self) if self.rank >= rank else f"({self})"


@dataclass(frozen=True)
class Number(Node):
    """A number that is not negative: `42` is an int, `42.0` and `4e1` are floats."""

    value: float

    def __str__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True)
class String(Node):
    """What stands between two quotes; it holds one kind of quotes at most."""

    text: str

    def __str__(self) -> str:
        return f"'{self.text}'" if '"' in self.text else f'"{self.text}"'


@dataclass(frozen=True)
class Name(Node):
    """A variable, a function or a parameter: `pi`, `h.0.weight`."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Negative(Node):
    """`-operand`."""

    operand: Node

    @property
    def rank(self) -> int:
        """How tightly it binds: looser than a power."""
        return _NEGATIVE

    def __str__(self) -> str:
        return "-" + self.operand.at_least(_NEGATIVE)


@dataclass(frozen=True)
class Operation(Node):
    """`first sign operand sign operand ...`, done from left to right; the signs are of one rank.

    A comparison and a power have one sign only.
    """

    first: Node
    rest: tuple[tuple[str, Node], ...]

    @property
    def rank(self) -> int:
        """How tightly its signs bind."""
        return _RANK_OF[self.rest[0][0]]

    def __str__(self) -> str:
        following = _NEGATIVE if self.rank == _POWER else self.rank + 1
        links = [f" {sign} {operand.at_least(following)}" for sign, operand in self.rest]
        return self.first.at_least(self.rank + 1) + "".join(links)


@dataclass(frozen=True)
class List(Node):
    """`[item, item]`."""

    items: tuple[Node, ...]

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.items))}]"


@dataclass(frozen=True)
class Keyword(Node):
    """`name=value`, an argument of a call."""

    name: str
    value: Node

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


@dataclass(frozen=True)
class Pair(Node):
    """`weight: value`, an argument of a call."""

    weight: Node
    value: Node

    def __str__(self) -> str:
        return f"{self.weight}: {self.value}"


@dataclass(frozen=True)
class Call(Node):
    """`name(argument, ...)`; positional arguments come before keywords."""

    name: str
    arguments: tuple[Node, ...]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.arguments))})"
