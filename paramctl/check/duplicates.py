"""Weights that hold the same bits under several names, though they are not tied."""

from collections.abc import Iterable, Iterator

from paramctl.check.findings import Finding
from paramctl.check.kinds import Kind
from paramctl.check.subjects import Subject
from paramctl.check.tally import Tally
from paramctl.checkpoint import Checkpoint
from paramctl.edits.equality import find_equal


def find_duplicates(
    checkpoint: Checkpoint, tallied: Iterable[tuple[Subject, Tally]]
) -> Iterator[Finding]:
    """Yield each weight that equals one before it; only those that look alike are read again.

    Constants are equal by chance, and tables that are computed by design.
    """
    alike: dict[tuple[object, ...], list[str]] = {}
    for subject, tally in tallied:
        if subject.is_weight and not tally.is_constant:
            entry, fingerprint = subject.entry, tally.fingerprint
            alike.setdefault((entry.dtype, entry.shape, fingerprint), []).append(subject.name)
    candidates = [name for names in alike.values() if len(names) > 1 for name in names]
    for first, *others in find_equal(checkpoint, candidates).groups:
        for name in others:
            yield Finding(Kind.DUPLICATE, name, f"equal to {first}")
