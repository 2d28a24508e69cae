"""Which parameters of one model fit into another, by name, shape and type."""

from collections.abc import Sequence
from typing import NamedTuple

from paramctl.checkpoint import ARRAYS, PLANNED, Checkpoint, Entry
from paramctl.doors import Spelling
from paramctl.dtypes import FLOATING
from paramctl.edits.renaming import Step, rename
from paramctl.errors import UsageError
from paramctl.groups import Groups
from paramctl.quantized import dequantized

ABSENT = "not there"


class Fits(NamedTuple):
    """What of a model fits into another, and what in the other is lacking and why.

    Both are by the names that are stored there; entries and what is `left_over` have the names of
    the first.
    """

    copied: dict[str, Entry]
    lacking: dict[str, str]
    left_over: list[str]


def find_fits(source: Checkpoint, target: Checkpoint, steps: Sequence[Step] = ()) -> Fits:
    """Find what of a model fits into another, after its names are changed step by step.

    Of tied names in the target, the first one that fits counts for all.

    Raises:
        NoMatchError: a step fits no name; says the closest.
        UsageError: two names would become one, or nothing fits.
    """
    renamed = rename(source, steps)
    origins = dict(zip(renamed, source, strict=True))
    groups, own_groups = Groups(target.aliases), Groups(renamed.aliases)
    copied, lacking, seen = {}, {}, set()
    for stored in (name for name in target if name not in target.aliases):
        found = [name for name in groups.members(stored) if name in renamed]
        whys = {name: _why_not(renamed[name], target[stored]) for name in found}
        if fitting := next((name for name in found if not whys[name]), None):
            copied[stored] = renamed[fitting]._replace(name=origins[fitting])
            seen.update(own_groups.members(fitting))
        else:
            lacking[stored] = next(iter(whys.values()), ABSENT)
            seen.update(found)
    if not copied:
        raise _nothing_fits(renamed, target)
    return Fits(copied, lacking, [origins[name] for name in renamed if name not in seen])


def _why_not(entry: Entry, wanted: Entry) -> str:
    """Return why an entry cannot be copied to a place, nothing if it can."""
    if entry.layout == PLANNED:
        return "without values there"
    if entry.layout not in ARRAYS or entry.storage is None:
        return f"{entry.layout} there"
    if entry.shape != wanted.shape:
        return f"{list(entry.shape)} there"
    held = dequantized(entry).dtype
    if entry.dtype != wanted.dtype and not {held.name, wanted.dtype.name} <= FLOATING:
        return f"{entry.dtype.name} there"
    return ""


def _nothing_fits(source: Checkpoint, target: Checkpoint) -> UsageError:
    from paramctl.diff.names import find_prefix  # noqa: PLC0415 (only for the error)

    if source.is_planned:
        has_them = (Spelling("SRC", "the source"), " is the model that has them")
        return UsageError("it has no values to copy", hint=has_them, file=source.file)
    what = f"nothing in it fits into {target.file}"
    prefix = find_prefix(source.entries, target.entries)
    if not prefix:
        hint = (Spelling("--map", "source.rename()"), " changes its names")
        return UsageError(what, hint=hint, file=source.file)
    is_its_own = any(name.startswith(prefix) for name in source)
    rule = f"{prefix.removesuffix('.')} ->" if is_its_own else f"s/^/{prefix}/"
    return UsageError(what, hint=Spelling(f"--map '{rule}'", f"source.rename({rule!r})"))
