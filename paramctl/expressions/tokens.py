"""The words of an expression: numbers, strings, names and signs."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from paramctl.errors import ExpressionError

_TOKEN = re.compile(
    r"""\s*+(?:
    (?P<number> (?>[0-9]+(?:\.[0-9]*)?|\.[0-9]+) (?:[eE][+-]?[0-9]++)?+ (?![\w.]) )
    | (?P<name> [\w.]++ )
    | (?P<string> "[^"]*+" | '[^']*+' )
    | (?P<sign> \*\* | [<>=!]= | [-+*/<>=(),:\[\]] )
    | (?P<end> \Z )
    )""",
    re.VERBOSE,
)


class Token(NamedTuple):
    """A word: a `number`, `name`, `string`, `sign` or the `end`; its column counts from 0."""

    kind: str
    text: str
    column: int

    def __str__(self) -> str:
        return f"'{self.text}'" if self.text else "the end"


def read_tokens(text: str, start: int) -> Iterator[Token]:
    """Yield the words of `text` from column `start` on, and then its end again and again.

    Raises:
        ExpressionError: something is no word.
    """
    while match := _TOKEN.match(text, start):
        kind = match.lastgroup or "end"
        yield Token(kind, match[kind], match.start(kind))
        start = match.end()
    column = len(text) - len(text[start:].lstrip())
    what = "a string without its closing quote" if text[column] in "\"'" else "no word"
    raise ExpressionError(f"'{text[column]}' is {what}", column)
