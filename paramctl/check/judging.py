"""What of the values of a tensor is worth telling, and what is as it should be."""

from collections.abc import Iterator

import numpy as np

from paramctl.arrays import read
from paramctl.check.findings import Finding
from paramctl.check.kinds import Kind
from paramctl.check.subjects import Subject
from paramctl.check.tally import Tally
from paramctl.slices import select

PADDING = 1  # rows of zeros that an embedding may have: the word that stands for none
MAX_DENORMAL = 0.5  # of the values of a narrow type that are not zero


def judge(subject: Subject, tally: Tally) -> Iterator[Finding]:
    """Yield what may be wrong with the values of a tensor, by itself.

    Biases, norms and statistics may be constant, as they are at first; so may vectors.
    """
    may_be_extreme = subject.may_be_extreme or tally.is_mask
    for kind in (Kind.NAN, Kind.INF, Kind.BEYOND_FP16):
        if kind in tally.counts and (kind is Kind.NAN or not may_be_extreme):
            yield _of_values(subject, tally, kind)
    if Kind.DENORMAL in tally.counts and _are_too_many(subject, tally):
        yield _of_values(subject, tally, Kind.DENORMAL)
    if not tally.is_constant:
        yield from _judge_rows(subject, tally)
    elif not subject.may_be_constant and not tally.counts.keys() & {Kind.NAN, Kind.INF}:
        yield _constant(subject, tally)


def _judge_rows(subject: Subject, tally: Tally) -> Iterator[Finding]:
    if tally.rows is None or not (count := tally.rows.count):
        return
    if count > (PADDING if subject.is_embedding else 0):
        first = tally.rows.first or 0
        what = f"{count:,} of {subject.shape[0]:,} rows, first at [{first}]"
        yield Finding(Kind.DEAD_ROWS, subject.name, what, count, subject.shape[0], (first,))


def _constant(subject: Subject, tally: Tally) -> Finding:
    numel = tally.numel
    if tally.zeros == numel:
        return Finding(Kind.ZEROS, subject.name, f"all {numel:,} values are 0", numel, numel)
    value = read(select(subject.entry, (0,) * len(subject.entry.shape))).item()
    return Finding(
        Kind.CONSTANT, subject.name, f"all {numel:,} values are {value:.6g}", numel, numel
    )


def _are_too_many(subject: Subject, tally: Tally) -> bool:
    """Whether denormals are worth telling: in a wide type each is, a narrow one needs its own."""
    if not subject.form.is_narrow:
        return True
    return tally.counts[Kind.DENORMAL] > MAX_DENORMAL * (tally.numel - tally.zeros)


def _of_values(subject: Subject, tally: Tally, kind: Kind) -> Finding:
    count, place = tally.counts[kind], tally.firsts[kind]
    index = np.unravel_index(place, subject.entry.shape)[: len(subject.shape)]
    first = tuple(map(int, index))
    what = f"{count:,} of {tally.numel:,}, first at {list(first)}"
    return Finding(kind, subject.name, what, count, tally.numel, first)
