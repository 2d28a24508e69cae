"""The kinds of findings: how bad each is, and what to do about it."""

from enum import StrEnum
from typing import NamedTuple

from paramctl.doors import Door, Spelling, Words, spell, verb
from paramctl.errors import UsageError, find_closest

SEPARATOR = ","


class Severity(StrEnum):
    """How bad a finding is, the worst first."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Kind(StrEnum):
    """What is found, the worst first."""

    NAN = "nan"
    INF = "inf"
    MISSING = "missing"
    UNEXPECTED = "unexpected"
    SHAPE = "shape"
    ZEROS = "zeros"
    CONSTANT = "constant"
    DEAD_ROWS = "dead-rows"
    DTYPE = "dtype"
    DUPLICATE = "duplicate"
    DENORMAL = "denormal"
    BEYOND_FP16 = "beyond-fp16"

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return _FACTS[self].severity

    def advise(self, door: Door = "python") -> str:
        """Return what to do about it, in the words of a door, "" where that depends."""
        return spell(_FACTS[self].hint, door)


class _Facts(NamedTuple):
    severity: Severity
    hint: Words = ""


_ANEW = ("'", verb("set"), "' changes values, '", verb("init"), "' draws them")
_UNTRAINED = ("'", verb("init"), "' draws values for what was never trained")
_ONCE = ("'", Spelling("paramctl tie --equal", "tie(equal=True)"), "' stores them once")
_FACTS = {
    Kind.NAN: _Facts(Severity.ERROR, _ANEW),
    Kind.INF: _Facts(Severity.ERROR, _ANEW),
    Kind.MISSING: _Facts(Severity.ERROR),
    Kind.UNEXPECTED: _Facts(Severity.ERROR),
    Kind.SHAPE: _Facts(Severity.ERROR),
    Kind.ZEROS: _Facts(Severity.WARNING, _UNTRAINED),
    Kind.CONSTANT: _Facts(Severity.WARNING, _UNTRAINED),
    Kind.DEAD_ROWS: _Facts(
        Severity.WARNING, "pruned, or dead: the input has no part in what they put out"
    ),
    Kind.DTYPE: _Facts(Severity.WARNING),
    Kind.DUPLICATE: _Facts(Severity.NOTE, _ONCE),
    Kind.DENORMAL: _Facts(Severity.NOTE, "they have lost digits, and are slow on many processors"),
    Kind.BEYOND_FP16: _Facts(
        Severity.NOTE, "float16 would make them infinite; bfloat16 holds them"
    ),
}
DECLARED = (Kind.MISSING, Kind.UNEXPECTED, Kind.SHAPE, Kind.DTYPE)
"""What is found by comparing with a model that declares more, no value needed."""


def choose_kinds(text: str) -> frozenset[Kind]:
    """Return the kinds that a text such as `nan,inf` or `error` names; all for "".

    Raises:
        UsageError: there is no such kind; says the closest.
    """
    if not text:
        return frozenset(Kind)
    return frozenset(kind for word in text.split(SEPARATOR) for kind in _named(word.strip()))


def _named(word: str) -> list[Kind]:
    found = [kind for kind in Kind if word in (kind.value, kind.severity.value)]
    if not found:
        known = [*Kind, *Severity]
        close = find_closest(word, known)
        hint = f"closest: {', '.join(close)}" if close else f"there is: {', '.join(known)}"
        raise UsageError(f"nothing that is found is called '{word}'", hint=hint)
    return found
