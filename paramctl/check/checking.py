"""Check a model: one pass over its values, then what they and its names tell."""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from paramctl.check.declarations import judge_missing, judge_names
from paramctl.check.duplicates import find_duplicates
from paramctl.check.findings import Checked, Finding
from paramctl.check.floats import bits_of
from paramctl.check.judging import judge
from paramctl.check.kinds import DECLARED, Kind
from paramctl.check.subjects import Subject, find_subjects
from paramctl.check.tally import Tally
from paramctl.checkpoint import Checkpoint
from paramctl.passes import Progress, find_all

if TYPE_CHECKING:
    from paramctl.models.declared import Declared


def check(
    checkpoint: Checkpoint,
    names: Collection[str],
    kinds: Collection[Kind],
    declared: "Declared | None",
    progress: Progress,
) -> Checked:
    """Return what is found of these kinds in the parameters of these names.

    Values are read only where one of the kinds is of values.

    Raises:
        ParamctlError: the values of an entry cannot be read, or its file has changed.
    """
    needs_values = not set(kinds) <= set(DECLARED)
    subjects, unchecked = find_subjects(checkpoint, names) if needs_values else ([], {})
    found = [
        *judge_missing(checkpoint, names),
        *(judge_names(checkpoint, declared) if declared else ()),
        *_judge_values(checkpoint, _count(subjects, progress), duplicates=Kind.DUPLICATE in kinds),
    ]
    order = list(Kind)
    return Checked(
        tuple(sorted((f for f in found if f.kind in kinds), key=lambda f: order.index(f.kind))),
        len(subjects),
        sum(checkpoint.entries[subject.name].nbytes for subject in subjects),
        unchecked,
    )


def _count(subjects: Sequence[Subject], progress: Progress) -> list[tuple[Subject, Tally]]:
    """Look at all values once."""
    groups = [(bits_of(subject.entry),) for subject in subjects]
    tallies = find_all(groups, lambda place: subjects[place].begin(), progress)
    return list(zip(subjects, tallies, strict=True))


def _judge_values(
    checkpoint: Checkpoint, tallied: Sequence[tuple[Subject, Tally]], *, duplicates: bool
) -> Iterator[Finding]:
    for subject, tally in tallied:
        yield from judge(subject, tally)
    if duplicates:
        yield from find_duplicates(checkpoint, tallied)
