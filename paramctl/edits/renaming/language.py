r"""The language of renames: one rule, how some names are rewritten.

s/^module\.//                     as sed: a regular expression of Python's, what takes its place
s|\.(\d+)\.|.block_\1.|g          another delimiter; g for every match in a name, i for any case
transformer.h.{i} -> layers.{i}   a layer or parameter and its new name; {i} is one part of it
module ->                         without its prefix
encoder <-> decoder               each by the other's name
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from paramctl.edits.renaming.substitutions import Substitution, fits_nothing
from paramctl.edits.renaming.templates import Template
from paramctl.errors import ExpressionError
from paramctl.expressions.quoting import quoting

SWAP = "<->"
FLAGS = "gi"

_SUBSTITUTION = re.compile(r"s[^\w\s.\-\[{*\\]")  # what a name begins with is no delimiter
_ARROW = re.compile(r"\s*(<?->)\s*")


class Rule(NamedTuple):
    """Substitutions, of which the first one that fits a name is made."""

    text: str
    substitutions: tuple[Substitution, ...]

    def apply(self, names: Sequence[str]) -> list[str]:
        """Return the names as the rule rewrites them.

        Raises:
            NoMatchError: a substitution fits none of them; says the closest.
        """
        used: set[Substitution] = set()
        renamed = [self._rename(name, used) for name in names]
        for substitution in self.substitutions:
            if substitution not in used:
                raise fits_nothing(self.text, substitution.sought, names)
        return renamed

    def _rename(self, name: str, used: set[Substitution]) -> str:
        for substitution in self.substitutions:
            pattern, replacement, _, times = substitution
            new, count = pattern.subn(replacement, name, times)
            if count:
                used.add(substitution)
                return new
        return name


def is_rule(text: str) -> bool:
    """Whether a text looks like a rule, rather than like the name of a file."""
    return bool(_SUBSTITUTION.match(text) or _ARROW.search(text))


def parse_rule(text: str) -> Rule:
    """Read a rule.

    Raises:
        ExpressionError: it does not parse; says at which column.
    """
    with quoting(text):
        if _SUBSTITUTION.match(text):
            return _read_substitution(text)
        arrow = _ARROW.search(text)
        if not arrow:
            hint = "'s/REGEX/REPLACEMENT/', or 'OLD -> NEW'"
            raise ExpressionError("no rule", 0, hint=hint)
        return _read_arrow(text, arrow)


def _read_substitution(text: str) -> Rule:
    delimiter = text[1]
    begin, ends = 2, list(_find_delimiters(text))
    if len(ends) < 2:
        raise ExpressionError(f"the closing '{delimiter}' is missing", len(text))
    regex, replacement = text[begin : ends[0]], text[ends[0] + 1 : ends[1]]
    flags = text[ends[1] + 1 :]
    for place, flag in enumerate(flags):
        if flag not in FLAGS or flag in flags[:place]:
            what = f"'{flag}' is no flag" if flag not in FLAGS else f"'{flag}' is given twice"
            hint = "g replaces every match, i is for any case"
            raise ExpressionError(what, ends[1] + 1 + place, hint=hint)
    if not regex:
        raise ExpressionError("an empty expression", begin, hint="^ is the beginning of a name")
    pattern = _compile(regex, begin, re.IGNORECASE if "i" in flags else 0)
    replacement = replacement.replace(f"\\{delimiter}", delimiter)
    _check_replacement(pattern, replacement, ends[0] + 1)
    times = 0 if "g" in flags else 1
    return Rule(text, (Substitution(pattern, replacement, _plain(regex), times),))


def _find_delimiters(text: str) -> Iterator[int]:
    """Yield where the second and third delimiter are; one behind a backslash is none."""
    place = 2
    for _ in range(2):
        while place < len(text) and text[place] != text[1]:
            place += 2 if text[place] == "\\" else 1
        if place < len(text):
            yield place
        place += 1


def _compile(regex: str, column: int, flags: int) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of what sets may mean one day
            return re.compile(regex, flags)
    except re.error as error:
        raise ExpressionError(error.msg, column + (error.pos or 0)) from error
    except (OverflowError, RecursionError) as error:
        raise ExpressionError("an expression that is too large", column) from error


def _check_replacement(pattern: re.Pattern[str], replacement: str, column: int) -> None:
    try:
        pattern.sub(replacement, "")
    except re.error as error:
        raise ExpressionError(error.msg, column + (error.pos or 0)) from error
    except IndexError as error:
        raise ExpressionError(str(error), column) from error


def _plain(regex: str) -> str:
    """Return the letters of a regular expression, to find the names that are like it."""
    return re.sub(r"\\(\W)|\\\w|[\^$()\[\]*+?{}|]", r"\1", regex)


def _read_arrow(text: str, arrow: re.Match[str]) -> Rule:
    if second := _ARROW.search(text, arrow.end()):
        raise ExpressionError(f"a second '{second[1]}'", second.start(1))
    begin = len(text) - len(text.lstrip())
    old = Template(text[begin : arrow.start()], begin)
    new = Template(text[arrow.end() :].rstrip(), arrow.end())
    if arrow[1] == SWAP:
        return Rule(text, (old.turned_into(new), new.turned_into(old)))
    return Rule(text, (old.turned_into(new) if new.text else old.stripped(),))
