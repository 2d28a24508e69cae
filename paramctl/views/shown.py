"""What an address names: a tensor, a part of one, or the tensors that one is made of."""

from typing import NamedTuple

from paramctl import arrays
from paramctl.addresses import Match
from paramctl.checkpoint import ARRAYS, PLANNED, Checkpoint, Entry
from paramctl.doors import Spelling
from paramctl.dtypes import BY_NAME
from paramctl.errors import LimitError, MalformedError, UsageError
from paramctl.groups import Groups
from paramctl.slices import Index, select

BY_ROWS = ("crow_indices", "col_indices", "values")
BY_COLUMNS = ("ccol_indices", "row_indices", "values")
PARTS = {  # what torch calls the parts of a layout
    "sparse_coo": ("indices", "values"),
    "sparse_csr": BY_ROWS,
    "sparse_csc": BY_COLUMNS,
    "sparse_bsr": BY_ROWS,
    "sparse_bsc": BY_COLUMNS,
    "nested": ("values", "sizes", "strides", "offsets"),
}
INTEGERS = {"qint8": "int8", "quint8": "uint8", "qint32": "int32"}  # what they are stored as
LACKS = {
    PLANNED: "it has no values yet, init gives it some",
    "meta": "only its shape and its type are stored",
    "uninitialized": "its shape is not known yet",
}
SLICED = (*ARRAYS, "quantized", "meta", PLANNED)


Lack = UsageError | MalformedError


class Shown(NamedTuple):
    """A parameter, the slice of it that is shown, and the names that it is tied to.

    `parts` are, by their names, the tensors that it is made of where it is no array. `lack` says
    why there is nothing to show of it, None where there is something.
    """

    entry: Entry
    slices: Index
    part: Entry
    tied: tuple[str, ...]
    parts: tuple[Entry, ...] = ()
    lack: Lack | None = None

    @classmethod
    def of(cls, checkpoint: Checkpoint, match: Match, groups: Groups) -> "Shown":
        """Take the part of a parameter that an address names.

        Raises:
            UsageError: the slice does not fit its shape.
        """
        entry = checkpoint.entries[match.name]
        part = select(entry, match.slices) if entry.layout in SLICED else entry
        tied = groups.others(match.name)
        parts = _name_parts(part)
        return cls(entry, match.slices, part, tied, parts, _lack(checkpoint, match, parts))

    def check(self) -> None:
        """Make sure that there are values to show.

        Raises:
            UsageError: there are none, or none that numpy could hold.
            LimitError: their shape is more than numpy holds.
            MalformedError: they reach past their storage, or are missing.
        """
        if self.lack:
            raise self.lack
        for tensor in self.parts or (self.part,):
            arrays.check(tensor)

    def array(self) -> Entry:
        """Return the one tensor that is shown.

        Raises:
            UsageError: there are several, or none.
            MalformedError: it is missing.
        """
        if self.lack:
            raise self.lack
        if self.parts:
            raise UsageError(
                f"'{self.entry.name}' is {self.entry.layout}: it is no single array",
                hint=Spelling(
                    "--format json shows its parts",
                    f"paramctl.arrays.read(model[{self.entry.name!r}].parts[0]) reads a part of it",
                ),
            )
        return self.part


def _name_parts(entry: Entry) -> tuple[Entry, ...]:
    if entry.layout in ARRAYS:
        return ()
    if entry.layout == "quantized":
        dtype = BY_NAME.get(INTEGERS.get(entry.dtype.name, ""), entry.dtype)
        return (entry._replace(name="int_repr", dtype=dtype, layout="strided", parts=()),)
    names = PARTS.get(entry.layout, ())
    if len(names) != len(entry.parts):
        names = tuple(f"part {place}" for place in range(len(entry.parts)))
    return tuple(part._replace(name=name) for part, name in zip(entry.parts, names, strict=True))


def _lack(checkpoint: Checkpoint, match: Match, parts: tuple[Entry, ...]) -> Lack | None:
    """Say why a parameter has nothing to show."""
    layout = checkpoint.entries[match.name].layout
    if reason := checkpoint.missing.get(checkpoint.aliases.get(match.name, match.name)):
        return MalformedError(f"'{match.name}' is missing: {reason}")
    if match.slices and layout not in SLICED:
        return UsageError(f"'{match.name}' is {layout}: no slice of it can be taken, name it whole")
    if layout in ARRAYS or parts:
        return None
    reason = LACKS.get(layout, "it has no values that can be read")
    return UsageError(f"'{match.name}' is {layout}: {reason}")


def refusal(shown: Shown) -> Lack | LimitError | None:
    """Return why `check` refuses a parameter that is missing, or one of a sound file."""
    if shown.lack:
        return shown.lack
    try:
        shown.check()
    except (UsageError, LimitError) as error:
        return error
    return None
