"""Statistics of parameters, for programs; for people in `stats_table`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from json import dumps
from math import isfinite
from typing import Any

from paramctl.layers import natural_key
from paramctl.stats.measured import Measured
from paramctl.stats.moments import Moments
from paramctl.views.escaping import escape

NUMBERS: dict[str, Callable[[Moments], float | None]] = {
    "numel": lambda moments: moments.numel,
    "mean": lambda moments: moments.mean if moments.count else None,
    "std": lambda moments: moments.std,
    "min": lambda moments: moments.low,
    "max": lambda moments: moments.high,
    "absmax": lambda moments: moments.largest,
    "norm": lambda moments: moments.norm,
    "zeros": lambda moments: moments.zeros,
    "nan": lambda moments: moments.nans,
    "inf": lambda moments: moments.infinities,
}
"""The columns, by which rows can be sorted too."""


def sort_measured(measured: Sequence[Measured], column: str) -> Sequence[Measured]:
    """Return rows by their place in the file, by name, or the largest of a column first."""
    if column == "name":
        return sorted(measured, key=lambda each: natural_key(each.name))
    if column == "file":
        return measured
    return sorted(measured, key=lambda each: -_key(each, column))


def _key(each: Measured, column: str) -> float:
    value = NUMBERS[column](each.moments) if each.moments else None
    return float("-inf") if value is None else float(value)


def tsv_lines(measured: Iterable[Measured]) -> Iterator[str]:
    """Yield name, shape, dtype, the numbers, the tie, why there are none, and the quantiles."""
    for each in measured:
        moments = each.moments
        numbers = [_text(number(moments)) if moments else "" for number in NUMBERS.values()]
        notes = escape(each.tied), escape(each.why)
        quantiles = map(_text, each.quantiles)
        cells = [escape(each.name), *_what(each), *numbers, *notes, *quantiles]
        yield "\t".join([cell or "-" for cell in cells])


def json_text(measured: Iterable[Measured], fractions: Sequence[float]) -> str:
    """Return a JSON list of objects; numbers that are not finite are null."""
    return dumps([_facts(each, fractions) for each in measured], indent=2)


def _facts(each: Measured, fractions: Sequence[float]) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": each.name}
    if each.entry:
        facts |= {"shape": list(each.entry.shape), "dtype": each.entry.dtype.name}
    if each.moments:
        facts |= {key: _plain(number(each.moments)) for key, number in NUMBERS.items()}
    if fractions and each.moments:
        pairs = zip(fractions, each.quantiles, strict=True)
        facts["quantiles"] = {f"{fraction:.15g}": _plain(value) for fraction, value in pairs}
    return facts | {key: text for key in ("tied", "why") if (text := getattr(each, key))}


def _what(each: Measured) -> tuple[str, str]:
    return (str(list(each.entry.shape)), each.entry.dtype.name) if each.entry else ("", "")


def _text(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.9g}"


def _plain(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
