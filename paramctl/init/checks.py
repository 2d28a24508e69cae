"""What a scheme asks of its parameters."""

from collections.abc import Collection

from paramctl.errors import ArgumentError
from paramctl.expressions.quoting import closest


def at_least(name: str, value: float, least: float) -> None:
    """Refuse a parameter below `least`.

    Raises:
        ArgumentError: it is.
    """
    if not value >= least:
        raise ArgumentError(f"{name} is {value:g}, the least is {least:g}", name)


def positive(name: str, value: float) -> None:
    """Refuse a parameter that is not above 0.

    Raises:
        ArgumentError: it is not.
    """
    if not value > 0:
        raise ArgumentError(f"{name} is {value:g}, it must be above 0", name)


def below(low_name: str, low: float, high_name: str, high: float) -> None:
    """Refuse two parameters that are not in ascending order.

    Raises:
        ArgumentError: they are not.
    """
    if not low < high:
        what = f"{low_name} is {low:g}, it must be below {high_name}, {high:g}"
        raise ArgumentError(what, low_name, high_name)


def one_of(name: str, value: str, choices: Collection[str], *aliases: str) -> None:
    """Refuse a word that is none of `choices`; `aliases` are other parameters that take one.

    Raises:
        ArgumentError: says the closest ones.
    """
    if value not in choices:
        hint = closest(value, choices)
        raise ArgumentError(f"no {name} '{value[:40]}'", name, *aliases, hint=hint)
