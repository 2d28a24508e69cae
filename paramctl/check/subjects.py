"""What is checked: every stored tensor once, with what is normal for it."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from paramctl.check.floats import FLOATS, Float, components_of, has_floats
from paramctl.check.tally import Tally
from paramctl.checkpoint import MISSING, Checkpoint, Entry
from paramctl.edits.targets import targets_of
from paramctl.groups import Groups
from paramctl.init.roles import Kind, Role, kind_of, may_be_weight, role_of
from paramctl.init.targets import Target

MATRIX = 2  # dimensions
WEIGHTS = (Role.WEIGHT, Role.EMBEDDING)
_INTEGER = re.compile(r"bool|u?int(?:8|16|32|64)")
_EXTREME = re.compile(r"mask|^(?:min|max)_val$")  # of attention; of observers that saw nothing yet


class Subject(NamedTuple):
    """A stored tensor of floats, under the first of its names that were asked for.

    Attributes:
        entry: where its values are; complex ones as their components, quantized ones as floats.
        shape: that of the values.
        is_weight: whether it is a weight by its name: its rows stand for outputs, or words.
        is_embedding: whether they stand for words.
        may_be_constant: whether one number throughout is as it should be.
        may_be_extreme: whether infinities are as they should be.
    """

    entry: Entry
    shape: tuple[int, ...]
    is_weight: bool
    is_embedding: bool
    may_be_constant: bool
    may_be_extreme: bool

    @property
    def name(self) -> str:
        """What it is called."""
        return self.entry.name

    @property
    def form(self) -> Float:
        """How its floats are stored."""
        return FLOATS[self.entry.dtype.name]

    def begin(self) -> Tally:
        """Return an empty tally of its values."""
        shape = self.entry.shape
        length = self.entry.numel // shape[0] if self.is_weight and shape[0] else 0
        return Tally(self.form, length if length > 1 else 0)


def find_subjects(
    checkpoint: Checkpoint, names: Iterable[str]
) -> tuple[list[Subject], dict[str, str]]:
    """Return the stored tensors of floats among `names`, and why others cannot be checked.

    Integers are neither: there is nothing to find.
    """
    groups, targets = Groups(checkpoint.aliases), targets_of(checkpoint)
    subjects: list[Subject] = []
    unchecked: dict[str, str] = {}
    seen: set[str] = set()
    for name in names:
        members = groups.members(name)
        entry = checkpoint.entries[name]
        if members[0] in seen or entry.layout == MISSING:
            continue
        seen.add(members[0])
        if has_floats(entry):
            subjects.append(_subject(entry, [targets[each] for each in members]))
        elif why := _why_not(entry):
            unchecked[name] = why
    return subjects, unchecked


def _subject(entry: Entry, targets: Sequence[Target]) -> Subject:
    is_table = entry.kind == "buffer"
    floats = components_of(entry)
    targets = [target._replace(dtype=floats.dtype.name) for target in targets]
    roles = [_role(target) for target in targets]
    return Subject(
        floats,
        entry.shape,
        not is_table and any(role in WEIGHTS for role in roles),
        Role.EMBEDDING in roles,
        is_table
        or all(_may_be_constant(target, role) for target, role in zip(targets, roles, strict=True)),
        any(_EXTREME.search(target.leaf) for target in targets),
    )


def _why_not(entry: Entry) -> str:
    if entry.layout != "strided":
        return entry.layout
    return "" if _INTEGER.fullmatch(entry.dtype.name) else entry.dtype.name


def _role(target: Target) -> Role:
    """Return what a parameter is for; a norm of pictures has a weight of more dimensions."""
    if kind_of(target) is Kind.NORM or target.siblings.get("bias") == target.shape:
        return Role.NORM_WEIGHT
    return role_of(target)


def _may_be_constant(target: Target, role: Role) -> bool:
    """Whether one number may fill it: biases, norms, statistics and vectors begin so."""
    if role is Role.UNKNOWN:
        return sum(size > 1 for size in target.shape) < MATRIX or not may_be_weight(target)
    return role not in WEIGHTS
