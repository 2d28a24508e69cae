"""The kinds of findings: how bad each is, and what to do about it."""

from enum import StrEnum
from typing import NamedTuple

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

    @property
    def hint(self) -> str:
        """What to do about it, "" where that depends."""
        return _FACTS[self].hint


class _Facts(NamedTuple):
    severity: Severity
    hint: str = ""


_FACTS = {
    Kind.NAN: _Facts(Severity.ERROR, "'paramctl set' changes values, 'paramctl init' draws them"),
    Kind.INF: _Facts(Severity.ERROR, "'paramctl set' changes values, 'paramctl init' draws them"),
    Kind.MISSING: _Facts(Severity.ERROR),
    Kind.UNEXPECTED: _Facts(Severity.ERROR),
    Kind.SHAPE: _Facts(Severity.ERROR),
    Kind.ZEROS: _Facts(Severity.WARNING, "'paramctl init' draws values for what was never trained"),
    Kind.CONSTANT: _Facts(
        Severity.WARNING, "'paramctl init' draws values for what was never trained"
    ),
    Kind.DEAD_ROWS: _Facts(
        Severity.WARNING, "pruned, or dead: the input has no part in what they put out"
    ),
    Kind.DTYPE: _Facts(Severity.WARNING),
    Kind.DUPLICATE: _Facts(Severity.NOTE, "'paramctl tie --equal' stores them once"),
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
