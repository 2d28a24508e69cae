"""What a scheme asks of its parameters."""

from collections.abc import Collection

from paramctl.errors import UsageError
from paramctl.expressions.quoting import closest


def at_least(name: str, value: float, least: float) -> None:
    """Refuse a parameter below `least`.

    Raises:
        UsageError: it is.
    """
    if not value >= least:
        raise UsageError(f"{name} is {value:g}, the least is {least:g}")


def positive(name: str, value: float) -> None:
    """Refuse a parameter that is not above 0.

    Raises:
        UsageError: it is not.
    """
    if not value > 0:
        raise UsageError(f"{name} is {value:g}, it must be above 0")


def below(low_name: str, low: float, high_name: str, high: float) -> None:
    """Refuse two parameters that are not in ascending order.

    Raises:
        UsageError: they are not.
    """
    if not low < high:
        raise UsageError(f"{low_name} is {low:g}, it must be below {high_name}, {high:g}")


def one_of(name: str, value: str, choices: Collection[str]) -> None:
    """Refuse a word that is none of `choices`.

    Raises:
        UsageError: says the closest ones.
    """
    if value not in choices:
        raise UsageError(f"no {name} '{value[:40]}'", hint=closest(value, choices))
