"""What is plotted: parameters and slices of them, in one model or in two."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from paramctl.addresses import Match
from paramctl.checkpoint import Checkpoint, Entry
from paramctl.errors import LimitError, MalformedError, ParamctlError, UsageError
from paramctl.groups import Groups
from paramctl.passes import check_expanded
from paramctl.views.shown import Shown, refusal
from paramctl.views.values import format_index

Refused = UsageError | MalformedError | LimitError
Check = Callable[[Entry], None]


class Subject(NamedTuple):
    """What is named, and its values: of the model, then of the other one."""

    match: Match
    group: tuple[Entry, ...]

    @property
    def name(self) -> str:
        """The parameter and the slice of it, not escaped."""
        return self.match.name + format_index(self.match.slices)


class Choice(NamedTuple):
    """What is plotted, and why the rest is not."""

    subjects: list[Subject]
    refused: list[Refused]


def drop_ties(checkpoint: Checkpoint, matches: Sequence[Match]) -> list[Match]:
    """Return matches without those that are tied to one before."""
    first: dict[tuple[str, str], Match] = {}
    for match in matches:
        stored = checkpoint.aliases.get(match.name, match.name)
        first.setdefault((stored, format_index(match.slices)), match)
    return list(first.values())


def choose_subjects(checkpoint: Checkpoint, matches: Sequence[Match], check: Check) -> Choice:
    """Return what can be plotted of a model.

    Raises:
        UsageError: a slice does not fit its parameter.
    """
    groups = Groups(checkpoint.aliases)
    choice = Choice([], [])
    for match in matches:
        shown = Shown.of(checkpoint, match, groups)
        if reason := _refusal(shown, check):
            choice.refused.append(reason)
        else:
            choice.subjects.append(Subject(match, (shown.part,)))
    return choice


def join_subjects(ours: Sequence[Subject], theirs: Sequence[Subject]) -> list[Subject]:
    """Return those that two models have, with the values of both."""
    known = {subject.name: subject.group for subject in theirs}
    return [
        Subject(subject.match, subject.group + known[subject.name])
        for subject in ours
        if subject.name in known
    ]


def _refusal(shown: Shown, check: Check) -> Refused | None:
    """Say why there is nothing to plot of a parameter."""
    if reason := refusal(shown):
        return type(reason)(reason.what)  # what it hints at is of `show`
    if shown.parts:
        layout = shown.entry.layout
        return UsageError(f"'{shown.entry.name}' is {layout}: it is no single array")
    try:
        check_expanded(shown.part)
        check(shown.part)
    except (UsageError, LimitError) as error:
        return error
    return None


def refuse(refused: Sequence[Refused]) -> ParamctlError:
    """Return the error of a call that leaves nothing to plot."""
    if len(refused) == 1:
        return refused[0]
    first = refused[0].what if refused else "there are no parameters"
    more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
    return UsageError(f"there is nothing to plot: {first}{more}")
