"""Templates: the dotted name of a layer or a parameter, with `{i}` for what may be there."""

import re
from typing import NamedTuple

from paramctl.edits.renaming.substitutions import Substitution
from paramctl.errors import ExpressionError

_EMPTY = re.compile(r"\A\.|\.(?=\.|\Z)")
_HOLE = re.compile(r"\{([^{}]*)\}")


class Template(NamedTuple):
    """One side of `transformer.h.{i} -> layers.{i}`, which begins at `column` of the rule.

    `{i}` stands for one part between dots; in a part with other text beside it, for a number.
    """

    text: str
    column: int

    def turned_into(self, new: "Template") -> Substitution:
        """Return what replaces this layer or parameter, and keeps the names below it.

        Raises:
            ExpressionError: one of both does not parse; says at which column.
        """
        pattern = self.pattern(r"(?=\.|\Z)")
        return Substitution(pattern, new.replacement(pattern), self.text)

    def stripped(self) -> Substitution:
        """Return what takes this layer off the names below it, and all of a name that it is.

        Raises:
            ExpressionError: it does not parse; says at which column.
        """
        return Substitution(self.pattern(r"(?:\.|\Z)"), "", self.text)

    def pattern(self, end: str) -> re.Pattern[str]:
        """Return what fits a name that begins with this one, and behind it has `end`."""
        self._check()
        holes: set[str] = set()
        regex, last = "", 0
        for hole in _HOLE.finditer(self.text):
            regex += re.escape(self.text[last : hole.start()])
            regex += f"(?P={hole[1]})" if hole[1] in holes else self._group(hole)
            holes.add(hole[1])
            last = hole.end()
        return re.compile(rf"\A{regex}{re.escape(self.text[last:])}{end}")

    def _group(self, hole: re.Match[str]) -> str:
        """Return what a hole matches: a part between dots, or the number in one."""
        around = self.text[: hole.start()][-1:], self.text[hole.end() :][:1]
        return f"(?P<{hole[1]}>{'[^.]++' if set(around) <= {'', '.'} else '[0-9]++'})"

    def replacement(self, pattern: re.Pattern[str]) -> str:
        """Return what takes the place of a match of `pattern`."""
        self._check()
        for hole in _HOLE.finditer(self.text):
            if hole[1] not in pattern.groupindex:
                known = ", ".join(f"{{{name}}}" for name in pattern.groupindex) or "none"
                raise self._error(
                    f"'{hole[0]}' is not in the old name", hole.start(), f"there: {known}"
                )
        return _HOLE.sub(r"\\g<\1>", self.text.replace("\\", r"\\"))

    def _check(self) -> None:
        """Raise an error where there is something that is in no name."""
        if not self.text:
            raise self._error("a name is missing", 0, "'s/^/PREFIX./' puts one before all")
        if empty := _EMPTY.search(self.text):
            raise self._error("an empty part beside a dot", empty.start())
        for hole in _HOLE.finditer(self.text):
            if not hole[1].isidentifier():
                raise self._error(f"'{hole[0]}' is no name of a part", hole.start(), "{i}")
            if self.text.startswith("{", hole.end()):
                raise self._error("two parts with nothing between", hole.end())
        if stray := re.search(r"[{}*]", _HOLE.sub(lambda hole: " " * len(hole[0]), self.text)):
            raise self._error(
                f"'{stray[0]}' in a name", stray.start(), "{i} stands for a part of it"
            )

    def _error(self, what: str, place: int, hint: str = "") -> ExpressionError:
        return ExpressionError(what, self.column + place, hint=hint)
