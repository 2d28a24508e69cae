"""Addresses that name many parameters in few words."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby

from paramctl.addresses import resolve_all
from paramctl.checkpoint import Checkpoint
from paramctl.errors import AddressError

_NUMBERED = re.compile(r"(.*?)(\d{1,9})((?:\..*)?)", re.DOTALL)  # at the end of a part of a name


def fold_names(checkpoint: Checkpoint, names: Sequence[str]) -> Sequence[str]:
    """Return addresses of these parameters and no others; numbers in a row make one of several."""
    folded, numbered = [], dict[tuple[str, str], list[int]]()
    for name in names:
        if match := _NUMBERED.fullmatch(name):
            numbered.setdefault((match[1], match[3]), []).append(int(match[2]))
        else:
            folded.append(name)
    for (head, tail), numbers in numbered.items():
        folded += [f"{head}{label}{tail}" for label in _label_runs(numbers)]
    with suppress(AddressError):
        if resolve_all(checkpoint, folded) == names:
            return folded
    return names


def _label_runs(numbers: Iterable[int]) -> Iterator[str]:
    """Yield `3`, or `[5-8]` for several in a row."""
    for _, run in groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0]):
        found = [number for _, number in run]
        yield f"[{found[0]}-{found[-1]}]" if len(found) > 1 else str(found[0])
