"""How two models differ, for programs: TSV, JSON, and a line for each that does in short."""

from collections.abc import Iterable, Iterator
from json import dumps
from math import isfinite
from typing import Any

from paramctl.checkpoint import Checkpoint, Entry
from paramctl.diff.comparison import Comparison, Parameter
from paramctl.diff.facts import ABSENT, Fact
from paramctl.diff.values import Difference, Tolerance
from paramctl.dtypes import UNKNOWN
from paramctl.views.escaping import escape
from paramctl.views.units import count_noun, format_number

NONE = "-"
ONE_SIDED = {"added": "only in B", "removed": "only in A"}


def tsv_lines(comparison: Comparison, parameters: Iterable[Parameter]) -> Iterator[str]:
    """Yield lines whose first column says what has become of a parameter, or what else it is of.

    equal, changed, added, removed, renamed, uncompared
                  name, shape and dtype in A, the same in B, largest absolute difference, its index,
                  largest relative difference, relative L2, cosine, share equal, note
    metadata      key, value in A, value in B
    class         layer, class in A, class in B
    """
    for parameter in parameters:
        cells = (parameter.change, *_sides(parameter), *_numbers(parameter), _note(parameter))
        yield _line(cells)
    for kind, facts in (("metadata", comparison.metadata), ("class", comparison.classes)):
        for fact in facts:
            yield _line((kind, fact.key, value_text(fact.a), value_text(fact.b)))


def brief_lines(comparison: Comparison) -> Iterator[str]:
    """Yield a line for each that differs: what it is, and in what."""
    for parameter in comparison.parameters:
        if parameter.change != "equal":
            yield f"{escape(parameter.name)}: {_in_short(parameter)}"
    for fact in comparison.metadata:
        yield f"metadata {escape(fact.key)}"
    for fact in comparison.classes:
        yield f"class of {escape(fact.key)}"


def json_text(comparison: Comparison, parameters: Iterable[Parameter], tolerance: Tolerance) -> str:
    """Return the same as TSV as one JSON object; numbers that are not finite are strings."""
    document = {
        "a": _model_facts(comparison.a),
        "b": _model_facts(comparison.b),
        "equal": comparison.is_equal,
        "tolerance": tolerance._asdict(),
        "counts": comparison.counts,
        "parameters": list(map(_parameter_facts, parameters)),
        "metadata": list(map(_fact, comparison.metadata)),
        "classes": list(map(_fact, comparison.classes)),
    }
    return dumps(document, indent=2)


def place_of(parameter: Parameter) -> tuple[int, ...] | None:
    """Return the index of the largest difference."""
    difference = parameter.outcome.difference
    if difference is None or difference.place is None or parameter.a is None:
        return None
    index, place = [], difference.place
    for size in reversed(parameter.a.shape):
        place, step = divmod(place, size)
        index.append(step)
    return tuple(reversed(index))


def notes_of(parameter: Parameter) -> Iterator[str]:
    """Say what is to be said of a parameter beside its columns."""
    if parameter.pair.is_renamed and parameter.pair.b is not None:
        yield f"renamed to {parameter.pair.b}"
    if "tie" in parameter.differs:
        yield f"{_tie(parameter, parameter.tied_a)} in A, {_tie(parameter, parameter.tied_b)} in B"
    if "layout" in parameter.differs and parameter.a and parameter.b:
        yield f"{parameter.a.layout} in A, {parameter.b.layout} in B"
    if parameter.outcome.reason:
        yield parameter.outcome.reason
    difference = parameter.outcome.difference
    if difference and difference.nans:
        yield f"{count_noun(difference.nans, 'value')} NaN in one of them only"


def value_text(value: Any) -> str:
    """Write a value of the metadata in a line."""
    if value is ABSENT:
        return NONE
    return value if isinstance(value, str) else dumps(value, ensure_ascii=False)


def _tie(parameter: Parameter, root: str) -> str:
    return "not tied" if root == parameter.name else f"tied to {root}"


def _in_short(parameter: Parameter) -> str:
    if parameter.change in ONE_SIDED:
        return ONE_SIDED[parameter.change]
    said = [f"now {escape(parameter.pair.b or '')}"] if parameter.pair.is_renamed else []
    said += parameter.differs
    if parameter.outcome.is_equal is None and parameter.outcome.reason:
        said.append(escape(parameter.outcome.reason))
    return ", ".join(said)


def _sides(parameter: Parameter) -> Iterator[str]:
    for entry in (parameter.a, parameter.b):
        if entry is None:
            yield from (NONE,) * 3
        else:
            is_known = entry.dtype is not UNKNOWN
            yield entry.name
            yield str(list(entry.shape)) if is_known else NONE
            yield entry.dtype.name if is_known else NONE


def _numbers(parameter: Parameter) -> tuple[str, ...]:
    difference = parameter.outcome.difference
    if difference is None:
        return (NONE,) * 6
    place = place_of(parameter)
    return (
        format_number(difference.largest, NONE),
        NONE if place is None else str(list(place)),
        format_number(difference.relative, NONE),
        format_number(difference.distance, NONE),
        NONE if difference.cosine is None else f"{difference.cosine:.9g}",
        f"{difference.share_equal:.9g}",
    )


def _note(parameter: Parameter) -> str:
    return "; ".join(notes_of(parameter)) or NONE


def _line(cells: Iterable[str]) -> str:
    return "\t".join(map(escape, cells))


def _model_facts(checkpoint: Checkpoint) -> dict[str, Any]:
    return {"file": checkpoint.file, "format": checkpoint.format, "tensors": len(checkpoint)}


def _parameter_facts(parameter: Parameter) -> dict[str, Any]:
    outcome = parameter.outcome
    return {
        "change": parameter.change,
        "a": _entry_facts(parameter.a),
        "b": _entry_facts(parameter.b),
        "differs": list(parameter.differs),
        "values": outcome.difference and _difference_facts(parameter, outcome.difference),
        "note": "; ".join(notes_of(parameter)) or None,
    }


def _entry_facts(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    is_known = entry.dtype is not UNKNOWN
    return {
        "name": entry.name,
        "shape": list(entry.shape) if is_known else None,
        "dtype": entry.dtype.name if is_known else None,
    }


def _difference_facts(parameter: Parameter, difference: Difference) -> dict[str, Any]:
    place = place_of(parameter)
    return {
        "count": difference.count,
        "equal": difference.equal,
        "one_sided_nans": difference.nans,
        "largest": _plain(difference.largest),
        "at": None if place is None else list(place),
        "relative": _plain(difference.relative),
        "relative_l2": _plain(difference.distance),
        "cosine": difference.cosine,
    }


def _fact(fact: Fact) -> dict[str, Any]:
    sides = {"a": fact.a, "b": fact.b}
    return {"key": fact.key} | {k: v for k, v in sides.items() if v is not ABSENT}


def _plain(value: float | None) -> float | str | None:
    """Return a number as JSON has it."""
    return value if value is None or isfinite(value) else str(value)
