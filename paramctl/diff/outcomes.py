"""Whether the values of two parameters are equal, and how that is found out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from paramctl.arrays import check
from paramctl.checkpoint import ARRAYS, PLANNED, Entry, Storage
from paramctl.contents import read_content
from paramctl.diff.values import Difference, Tolerance
from paramctl.dtypes import UNKNOWN
from paramctl.errors import LimitError, ParamctlError, UsageError
from paramctl.passes import Progress, check_expanded, find_all
from paramctl.slices import strides_of

EMPTY = (PLANNED, "meta")  # layouts of what has no values by design
WHOLE = ("sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc", "nested")
"""Layouts of what its parts tell all of."""


class Outcome(NamedTuple):
    """Whether values are equal, None where nobody knows.

    `difference` is there where they were compared as numbers, `reason` says what kept them from it.
    """

    is_equal: bool | None
    difference: Difference | None = None
    reason: str = ""


Couple = tuple[Entry, Entry]


def compare_all(
    couples: Sequence[Couple], tolerance: Tolerance, progress: Progress
) -> list[Outcome]:
    """Compare the values of entries of A with those of B.

    Raises:
        MalformedError: an entry reaches past its storage.
        FileError: a file cannot be read, or has changed.
    """
    settled = dict(enumerate(map(_settle, couples)))
    places = [place for place, outcome in settled.items() if outcome is None]
    groups = [couples[place] for place in places]
    found = find_all(groups, lambda _: Difference(tolerance), progress)
    compared = {
        place: Outcome(difference.is_equal, difference)
        for place, difference in zip(places, found, strict=True)
    }
    return list(_in_order(settled, compared))


def _in_order(
    settled: Mapping[int, Outcome | None], compared: Mapping[int, Outcome]
) -> Iterator[Outcome]:
    for place, outcome in settled.items():
        yield outcome or compared[place]


def _settle(couple: Couple) -> Outcome | None:
    """Tell what takes no arithmetic; None where there are numbers to compare."""
    a, b = couple
    if UNKNOWN in (a.dtype, b.dtype):
        sides = zip(couple, "AB", strict=True)
        missing = [f"{entry.layout} in {side}" for entry, side in sides if entry.dtype is UNKNOWN]
        return Outcome(is_equal=None, reason=", ".join(missing))
    if a.shape != b.shape:
        return Outcome(is_equal=None)
    if a.layout in EMPTY or b.layout in EMPTY:
        empty = (side for entry, side in zip(couple, "AB", strict=True) if entry.layout in EMPTY)
        return Outcome(is_equal=True, reason=f"no values in {' and '.join(empty)}")
    if _is_one_place(a, b):
        return Outcome(is_equal=True)
    try:
        _check(a)
        _check(b)
    except (UsageError, LimitError) as error:
        return _compare_bytes(a, b, error)
    return None


def _check(entry: Entry) -> None:
    """Make sure that there are numbers to read, and not far more of them than are stored."""
    try:
        check(entry)
        check_expanded(entry)
    except ParamctlError as error:
        error.file = error.file or (entry.storage.source.name if entry.storage else "")
        raise


def _is_one_place(a: Entry, b: Entry) -> bool:
    """Whether two entries are the same bytes of one file."""
    if a.storage is None or b.storage is None or a.layout not in ARRAYS:
        return False
    source_a, begin_a = a.storage.source.locate(a.storage.offset)
    source_b, begin_b = b.storage.source.locate(b.storage.offset)
    is_one = source_a is source_b or (source_a.identity and source_a.identity == source_b.identity)
    if not is_one or begin_a != begin_b:
        return False
    return _view(a, a.storage) == _view(b, b.storage)


def _view(entry: Entry, storage: Storage) -> tuple[object, ...]:
    order = storage.big_endian
    return entry.dtype, entry.layout, entry.offset, strides_of(entry), order


def _compare_bytes(a: Entry, b: Entry, refusal: UsageError | LimitError) -> Outcome:
    """Compare what has no numbers to read, byte for byte, where the bytes say it all."""
    if isinstance(refusal, LimitError):
        return Outcome(is_equal=None, reason=refusal.what)
    if (a.layout, a.dtype) != (b.layout, b.dtype):
        kinds = [f"{e.dtype.name}" + f" {e.layout}" * (e.layout not in ARRAYS) for e in (a, b)]
        return Outcome(is_equal=None, reason=f"{kinds[0]} cannot be compared with {kinds[1]}")
    parts_a, parts_b = a.parts or (a,), b.parts or (b,)
    try:
        is_same = len(parts_a) == len(parts_b) and all(map(_is_same, parts_a, parts_b))
    except (UsageError, LimitError) as error:
        return Outcome(is_equal=None, reason=error.what)
    if not is_same:
        return Outcome(is_equal=False, reason="the bytes differ")
    if a.layout in ("strided", *WHOLE):
        return Outcome(is_equal=True)
    return Outcome(is_equal=None, reason=f"{a.layout}: the bytes are equal, the rest is not read")


def _is_same(a: Entry, b: Entry) -> bool:
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        return False
    for entry in (a, b):
        check_expanded(entry)
    return read_content(a) == read_content(b)
