"""From text to syntax tree, by recursive descent; what names mean is for others to say.

    comparison  sum [("<" | "<=" | ">" | ">=" | "==" | "!=") sum]
    sum         product (("+" | "-") product)*
    product     signed (("*" | "/") signed)*
    signed      "-" signed | atom ["**" signed]
    atom        number | string | name ["(" [argument ("," argument)*] ")"]
                | "(" comparison ")" | "[" [comparison ("," comparison)*] "]"
    argument    name "=" comparison | comparison [":" comparison]

A name is what stands between blanks and signs, and is no number: `pi`, `h.0.weight`, `2.bias`.
"""

import sys
from collections.abc import Callable

from paramctl.errors import ExpressionError
from paramctl.expressions.quoting import quoting
from paramctl.expressions.tokens import Token, read_tokens
from paramctl.expressions.tree import (
    RANKS,
    Call,
    Keyword,
    List,
    Name,
    Negative,
    Node,
    Number,
    Operation,
    Pair,
    String,
)

MAX_DEPTH = 50  # parentheses within parentheses
MAX_DIGITS = 400  # characters of a number: a float64 in full has fewer


def parse(text: str, start: int = 0) -> Node:
    """Return the syntax tree of what stands in `text` from column `start` on.

    Raises:
        ExpressionError: it does not parse; says in which text and at which column.
    """
    with quoting(text):
        parser = _Parser(text, start)
        tree = parser.expression()
        if parser.token.kind != "end":
            raise parser.unexpected("an operator")
        return tree


class _Parser:
    """A place in a text: `token` is the next word that has not been taken."""

    def __init__(self, text: str, start: int) -> None:
        self.tokens = read_tokens(text, start)
        self.token = next(self.tokens)
        self.depth = 0

    def expression(self, rank: int = 0) -> Node:
        """Take a comparison, or what binds more tightly."""
        if rank == len(RANKS):
            return self._signed()
        first = self.expression(rank + 1)
        column = self.token.column
        rest: list[tuple[str, Node]] = []
        while self._is_sign(*RANKS[rank]):
            if rest and rank == 0:
                raise ExpressionError("a second comparison", self.token.column)
            sign = self._take().text
            rest.append((sign, self.expression(rank + 1)))
        return Operation(first, tuple(rest), column=column) if rest else first

    def unexpected(self, expected: str) -> ExpressionError:
        """Return the error that the next word is not what should stand here."""
        what = f"expected {expected}, found {self.token}"
        hint = "quote a slice: '0.weight[0]'" if self.token.text == "[" else ""
        return ExpressionError(what, self.token.column, hint=hint)

    def _signed(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError(f"nested more than {MAX_DEPTH} deep", self.token.column)
        node: Node
        if self._is_sign("-"):
            node = Negative(column=self._take().column, operand=self._signed())
        else:
            node = self._atom()
            if self._is_sign("**"):
                column = self._take().column
                node = Operation(node, (("**", self._signed()),), column=column)
        self.depth -= 1
        return node

    def _atom(self) -> Node:
        token = self._take()
        match token:
            case ("number", text, column):
                return Number(_number(text, column), column=column)
            case ("string", text, column):
                return String(text[1:-1], column=column)
            case ("name", name, column):
                if "" in name.split("."):
                    raise ExpressionError(f"'{name}' is neither a number nor a name", column)
                return self._call(token) if self._is_sign("(") else Name(name, column=column)
            case (_, "[", column):
                return List(self._sequence("]", self.expression), column=column)
            case (_, "(", _):
                inner = self.expression()
                self._close(")")
                return inner
        self.token = token
        raise self.unexpected("a number, a name or a string")

    def _call(self, name: Token) -> Call:
        self._take()
        arguments = self._sequence(")", self._argument)
        self._check_keywords(arguments)
        return Call(name.text, arguments, column=name.column)

    def _sequence(self, closing: str, item: Callable[[], Node]) -> tuple[Node, ...]:
        """Take items between commas, and what closes them."""
        items: list[Node] = []
        while not (self._is_sign(closing) and not items):
            items.append(item())
            if not self._is_sign(","):
                break
            self._take()
        self._close(closing)
        return tuple(items)

    def _argument(self) -> Node:
        value = self.expression()
        if self._is_sign(":"):
            self._take()
            return Pair(value, self.expression(), column=value.column)
        if self._is_sign("="):
            if not (isinstance(value, Name) and value.name.isidentifier()):
                raise ExpressionError(f"'{value}' cannot name an argument", value.column)
            self._take()
            return Keyword(value.name, self.expression(), column=value.column)
        return value

    def _check_keywords(self, arguments: tuple[Node, ...]) -> None:
        seen: set[str] = set()
        for argument in arguments:
            if isinstance(argument, Keyword):
                if argument.name in seen:
                    raise ExpressionError(f"'{argument.name}' is given twice", argument.column)
                seen.add(argument.name)
            elif seen:
                what = "an argument without a name follows one with a name"
                raise ExpressionError(what, argument.column)

    def _is_sign(self, *signs: str) -> bool:
        return self.token.kind == "sign" and self.token.text in signs

    def _take(self) -> Token:
        token, self.token = self.token, next(self.tokens)
        return token

    def _close(self, closing: str) -> None:
        if not self._is_sign(closing):
            raise self.unexpected(f"'{closing}'")
        self._take()


def _number(text: str, column: int) -> float:
    if len(text) > MAX_DIGITS:
        raise ExpressionError(f"a number of more than {MAX_DIGITS} characters", column)
    value = int(text) if text.isdigit() else float(text)
    if value > sys.float_info.max:
        raise ExpressionError("the number is too large", column)
    return value
