"""What the page tells of values: statistics and histograms, each storage read once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from paramctl.checkpoint import Checkpoint, Entry
from paramctl.groups import Groups
from paramctl.passes import Progress
from paramctl.stats.histograms import Histogram, find_histograms
from paramctl.stats.measured import why_no_numbers
from paramctl.views.stats import NUMBERS

BINS = 64
BATCH, BATCH_BYTES = 500, 1 << 30
"""Parameters whose samples are held at once, and the bytes behind which progress is told."""


class Values(NamedTuple):
    """What a parameter's values come to.

    `numbers` are the columns of `stats`. The bins of `counts`, of the model and maybe of the other
    one, are of one width from `low` to `high`.
    """

    numbers: Mapping[str, float | None]
    low: float = 0.0
    high: float = 0.0
    counts: tuple[list[int], ...] = ()


class Read(NamedTuple):
    """What was found by the names of stored parameters, and why there is nothing of others."""

    values: dict[str, Values]
    why: dict[str, str]


def read_values(checkpoint: Checkpoint, others: Mapping[str, Entry], progress: Progress) -> Read:
    """Read a model; `others` are entries of another one, which are counted in the same bins.

    Raises:
        ParamctlError: a file is malformed, or has changed.
    """
    groups = Groups(checkpoint.aliases)
    stored = dict.fromkeys(map(groups.stored, checkpoint.entries))
    why = {name: why_no_numbers(checkpoint.entries[name]) for name in stored}
    entries = [checkpoint.entries[name] for name in stored if not why[name]]
    found: dict[str, Values] = {}
    total, done = sum(entry.nbytes for entry in entries), 0
    for some in _batches(entries):
        both = [(entry, *_comparable(others.get(entry.name))) for entry in some]
        histograms = find_histograms(both, BINS, lambda *_: None)
        found |= {e.name: _values(each) for e, each in zip(some, histograms, strict=True)}
        done += sum(entry.nbytes for entry in some)
        progress(done, total)
    return Read(found, {name: reason for name, reason in why.items() if reason})


def _batches(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    nbytes = 0
    for entry in entries:
        batch.append(entry)
        nbytes += entry.nbytes
        if len(batch) == BATCH or nbytes >= BATCH_BYTES:
            yield batch
            batch, nbytes = [], 0
    if batch:
        yield batch


def _comparable(other: Entry | None) -> tuple[Entry, ...]:
    return () if other is None or why_no_numbers(other) else (other,)


def _values(histogram: Histogram) -> Values:
    moments = histogram.moments[0]
    numbers = {key: number(moments) for key, number in NUMBERS.items()}
    if not histogram.edges.size:
        return Values(numbers)
    low, high = histogram.edges[[0, -1]].tolist()
    return Values(numbers, low, high, tuple(each.tolist() for each in histogram.counts))
