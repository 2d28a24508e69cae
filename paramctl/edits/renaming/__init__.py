"""New names for parameters: rules and maps, applied to a checkpoint."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from paramctl.checkpoint import AnyCheckpoint
from paramctl.doors import verb
from paramctl.edits.naming import with_names
from paramctl.errors import UsageError
from paramctl.few import list_few

MAX_SHOWN = 3


class Step(Protocol):
    """A rule or a map."""

    def apply(self, names: Sequence[str]) -> list[str]:
        """Return the names as they are then, in the same order.

        Raises:
            NoMatchError: it fits none of them; says the closest.
        """


def rename(checkpoint: AnyCheckpoint, steps: Iterable[Step]) -> AnyCheckpoint:
    """Rename layers and parameters step by step, each given what the one before left.

    Raises:
        NoMatchError: one fits no name; says the closest.
        UsageError: two parameters would have one name, or one none; names them.
    """
    names = renamed = list(checkpoint.entries)
    for step in steps:
        renamed = step.apply(renamed)
    _check(names, renamed)
    return with_names(checkpoint, dict(zip(names, renamed, strict=True)))


def _check(names: list[str], renamed: list[str]) -> None:
    """Make sure that no name has become empty, and no two have become one."""
    for old, new in zip(names, renamed, strict=True):
        if old and not new:
            what = f"nothing would be left of the name '{old}'"
            raise UsageError(what, hint=(verb("drop"), " leaves parameters out"))
    if len(set(renamed)) < len(names):
        raise UsageError(_collisions(names, renamed), hint="each needs a name of its own")


def _collisions(names: list[str], renamed: list[str]) -> str:
    groups: dict[str, list[str]] = {}
    for old, new in zip(names, renamed, strict=True):
        groups.setdefault(new, []).append(old)
    clashes = {new: olds for new, olds in groups.items() if len(olds) > 1}
    said = [f"{_list(olds)} would become '{new}'" for new, olds in [*clashes.items()][:MAX_SHOWN]]
    more = len(clashes) - MAX_SHOWN
    return "; ".join(said) + (f"; and {more:,} more such" if more > 0 else "")


def _list(names: list[str]) -> str:
    return list_few([f"'{name}'" for name in names], MAX_SHOWN)
