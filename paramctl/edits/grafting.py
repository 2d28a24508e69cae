"""A warm start: a model takes from another what fits, and the rest of it is initialized."""

from collections.abc import Sequence

from paramctl.checkpoint import AnyCheckpoint, Checkpoint, Entry, Storage
from paramctl.edits.converted import Converted
from paramctl.edits.draws import Plan
from paramctl.edits.fits import Fits
from paramctl.edits.initialization import initialize, plan
from paramctl.edits.provenance import forget_draws
from paramctl.edits.rules import Rule
from paramctl.edits.values import with_entries
from paramctl.groups import Groups

COPIED = "copied"


def plan_rest(checkpoint: Checkpoint, fits: Fits, rules: Sequence[Rule]) -> Plan:
    """Plan what rules make of the parameters that nothing fits; the others are not theirs.

    Raises:
        UsageError: as `plan`.
    """
    planned = plan(checkpoint, rules, dict.fromkeys(fits.copied, COPIED))
    kept = {name: why for name, why in planned.kept.items() if name in fits.lacking}
    return planned._replace(kept=kept)


def graft(checkpoint: AnyCheckpoint, fits: Fits, plan: Plan, seed: int) -> AnyCheckpoint:
    """Give a model the values that fit, lazily, and initialize what the plan says.

    Its names, shapes, types and ties stay as they are.
    """
    groups = Groups(checkpoint.aliases)
    changed: dict[str, Entry] = {}
    for stored, entry in fits.copied.items():
        values = _values_for(checkpoint.entries[stored], entry)
        for name in groups.members(stored):
            own = checkpoint.entries[name]
            changed[name] = values._replace(
                name=name, kind=own.kind, requires_grad=own.requires_grad
            )
    copied = forget_draws(with_entries(checkpoint, changed), set(changed))
    return initialize(copied, plan, seed) if plan.draws else copied


def _values_for(own: Entry, entry: Entry) -> Entry:
    """Return an entry's values in the type of their place, on a storage that equals no other."""
    storage = entry.storage
    if storage and entry.dtype == own.dtype:
        key = f"{storage.key} of {own.name}"
        return entry._replace(storage=storage._replace(key=key), subclass=own.subclass)
    source = Converted(entry, own.dtype)
    return own._replace(storage=Storage.whole(source), offset=0, strides=None, layout="strided")
