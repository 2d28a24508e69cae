"""What parameters and layers come to, each storage read once."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from paramctl import arrays
from paramctl.checkpoint import Checkpoint, Entry
from paramctl.errors import ParamctlError
from paramctl.groups import Groups
from paramctl.passes import Progress, check_expanded, find_all
from paramctl.stats.moments import Moments
from paramctl.stats.quantiles import find_quantiles


class Measured(NamedTuple):
    """What a parameter or a layer comes to.

    A layer has no entry. `why` says why there are no moments, or none of some that is in a layer.
    `tied` is the name under which the same values were measured.
    """

    name: str
    moments: Moments | None
    entry: Entry | None = None
    quantiles: tuple[float, ...] = ()
    tied: str = ""
    why: str = ""


def measure(
    checkpoint: Checkpoint, names: Iterable[str], fractions: Sequence[float], progress: Progress
) -> list[Measured]:
    """Return what parameters come to, with the quantiles at these fractions.

    Raises:
        ParamctlError: a file is malformed, or has changed.
    """
    names, groups = list(names), Groups(checkpoint.aliases)
    stored = list(dict.fromkeys(map(groups.stored, names)))
    why = {name: _why_not(checkpoint.entries[name]) for name in stored}
    readable = [checkpoint.entries[name] for name in stored if not why[name]]
    found = find_all(
        [(entry,) for entry in readable], lambda place: Moments(readable[place].numel), progress
    )
    counts = [moments.count for moments in found]
    quantiles = find_quantiles(readable, counts, fractions, progress) if fractions else []
    moments = dict(zip((entry.name for entry in readable), found, strict=True))
    at = {entry.name: tuple(each) for entry, each in zip(readable, quantiles, strict=False)}
    return [
        Measured(
            name,
            moments.get(owner),
            checkpoint.entries[name],
            at.get(owner, ()),
            "" if owner == name else owner,
            why[owner],
        )
        for name, owner in zip(names, map(groups.stored, names), strict=True)
    ]


def sum_layers(measured: Iterable[Measured], depth: int) -> list[Measured]:
    """Return layers of `depth` parts of a name, with all that is in them; what is tied once.

    Their `why` says why there are no numbers of all of it, or of some.
    """
    layers: dict[str, Moments | None] = {}
    lacks: dict[str, list[str]] = {}
    seen: set[str] = set()
    for each in measured:
        layer = ".".join(each.name.split(".")[:depth])
        total = layers.setdefault(layer, None)
        owner = each.tied or each.name
        if each.moments is None:
            lacks.setdefault(layer, []).append(each.why)
        elif owner not in seen:
            seen.add(owner)
            if total is None:
                total = layers[layer] = Moments(0)
            total.merge(each.moments)
    return [
        Measured(layer, moments, why=_why_less(moments, lacks.get(layer, [])))
        for layer, moments in layers.items()
    ]


def _why_less(moments: Moments | None, lacks: Sequence[str]) -> str:
    """Say what is lacking of a layer."""
    reasons = "; ".join(dict.fromkeys(lacks))
    if moments is None:
        return reasons or "tied, counted elsewhere"
    return f"{len(lacks):,} left out: {reasons}" if lacks else ""


def why_no_numbers(entry: Entry) -> str:
    """Say why an entry has no numbers to read, "" if it has."""
    try:
        arrays.check(entry)
        check_expanded(entry)
    except ParamctlError as error:
        return error.what.removeprefix(f"'{entry.name}' ").removeprefix(f"'{entry.name}': ")
    return ""


def _why_not(entry: Entry) -> str:
    is_complex = entry.dtype.name.startswith("complex")
    return why_no_numbers(entry) or (f"{entry.dtype.name} has no order" if is_complex else "")
