"""A warm start: a model takes from another what fits, and the rest of it is initialized."""

from collections.abc import Sequence

from paramctl.checkpoint import AnyCheckpoint, Checkpoint
from paramctl.edits.casting import cast_like
from paramctl.edits.draws import Plan
from paramctl.edits.fits import Fits
from paramctl.edits.initialization import initialize, plan
from paramctl.edits.provenance import forget_draws
from paramctl.edits.rules import Rule
from paramctl.edits.values import set_apart, with_entries
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
    changes = {
        stored: set_apart(entry)._replace(subclass=checkpoint.entries[stored].subclass)
        for stored, entry in fits.copied.items()
    }
    copied = cast_like(with_entries(checkpoint, changes), checkpoint)
    groups = Groups(checkpoint.aliases)
    names = {name for stored in changes for name in groups.members(stored)}
    copied = forget_draws(copied, names)
    return initialize(copied, plan, seed) if plan.draws else copied
