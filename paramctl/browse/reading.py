"""What is read of a parameter: its statistics, its distance from another, the values of a slice."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

from paramctl.addresses import Match
from paramctl.browse.catalog import Catalog, Side
from paramctl.checkpoint import ARRAYS, Entry
from paramctl.diff.values import Difference
from paramctl.errors import ParamctlError, UsageError
from paramctl.passes import Progress, find_all
from paramctl.slices import Index
from paramctl.stats.moments import Moments
from paramctl.views.escaping import escape
from paramctl.views.shown import Shown
from paramctl.views.tensors import format_values
from paramctl.walks import parse_index

Found = TypeVar("Found")


class Abandoned(Exception):  # noqa: N818 (no error: the user has moved on)
    """What is read is not wanted any more."""


class Measured(NamedTuple):
    """What was found of a parameter in each model that has its values; a text says why nothing was.

    `difference` is None where there are no two of one shape.
    """

    moments: dict[int, Moments | str]
    difference: Difference | str | None = None


def measure(catalog: Catalog, name: str, progress: Progress) -> Measured:
    """Read a parameter, in both models where there are two; `progress` may raise Abandoned.

    Raises:
        Abandoned: by `progress`.
    """
    tensors = {
        place: _or_why(partial(_tensor, side, name))
        for place, side in enumerate(catalog.sides)
        if name in side.rows and _has_values(side, name)
    }
    moments = {
        place: entry if isinstance(entry, str) else _or_why(partial(_moments, entry, progress))
        for place, entry in tensors.items()
    }
    entries = [entry for entry in tensors.values() if not isinstance(entry, str)]
    if len(entries) < 2 or entries[0].shape != entries[1].shape:
        return Measured(moments)
    if any(side.checkpoint.entries[name].layout not in ARRAYS for side in catalog.sides):
        return Measured(moments, "not compared: it is no single array")
    return Measured(moments, _or_why(partial(_difference, entries, progress)))


def _or_why(find: Callable[[], Found]) -> Found | str:
    try:
        return find()
    except ParamctlError as error:
        return error.render(escape, "shell")


def _moments(entry: Entry, progress: Progress) -> Moments:
    return find_all([(entry,)], lambda _: Moments(entry.numel), progress)[0]


def _difference(entries: list[Entry], progress: Progress) -> Difference:
    return find_all([tuple(entries)], lambda _: Difference(), progress)[0]


def _has_values(side: Side, name: str) -> bool:
    """Whether there is anything to read; what is shown in the place of values says why not."""
    try:
        Shown.of(side.checkpoint, Match(name, ()), side.groups).check()
    except ParamctlError:
        return False
    return True


def _tensor(side: Side, name: str) -> Entry:
    """Return the array that holds a parameter's values; of several, that of the values alone.

    Raises:
        ParamctlError: there is none that statistics could be of.
    """
    shown = Shown.of(side.checkpoint, Match(name, ()), side.groups)
    tensors = shown.parts or (shown.part,)
    entry = next((part for part in tensors if part.name == "values"), tensors[0])
    if entry.dtype.name.startswith("complex"):
        raise UsageError(f"no statistics of {entry.dtype.name}")
    return entry


def read_index(text: str) -> Index:
    """Read a slice as it is typed, with or without its brackets.

    Raises:
        AddressError: it does not parse.
    """
    inside = text.strip().removeprefix("[").removesuffix("]")
    return parse_index(inside, text, 1) if inside.strip() else ()


def format_slice(side: Side, name: str, text: str, width: int) -> str:
    """Return the values of a slice of a parameter, or say why there are none."""
    return _or_why(lambda: _format(side, Match(name, read_index(text)), width))


def _format(side: Side, match: Match, width: int) -> str:
    shown = Shown.of(side.checkpoint, match, side.groups)
    shown.check()
    if not shown.parts:
        return format_values(shown.part, 0, width)
    return "\n".join(f"{part.name}\n{format_values(part, 0, width)}" for part in shown.parts)
