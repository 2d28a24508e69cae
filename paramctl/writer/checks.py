"""What every format asks of an entry before anything is written."""

from collections.abc import Iterable

from paramctl.checkpoint import ARRAYS, MISSING, PLANNED, Entry, Storage
from paramctl.doors import Spelling, Words, verb
from paramctl.errors import MalformedError, UsageError
from paramctl.slices import check_expansion, check_extent, is_row_major


def check_entries(entries: Iterable[Entry]) -> None:
    """Check that each entry can be written, whatever the format.

    Raises:
        UsageError: it has no values laid out as an array, or blocks of them, or a name that is no
            text.
        MalformedError: it is not in its file, or reaches past its storage.
        LimitError: it is expanded to far more bytes than there are.
    """
    sharing: dict[Storage, int] = {}
    for entry in entries:
        storage = storage_of(entry)
        _check_name(entry)
        if entry.dtype.block > 1:
            raise _packed(entry)
        check_extent(entry, storage.nbytes)
        if entry.dtype.bits % 8 and not is_row_major(entry):
            raise UsageError(f"'{entry.name}': elements of {entry.dtype.name} cannot be picked")
        shared = sharing[storage] = sharing.get(storage, 0) + entry.nbytes
        check_expansion(entry, shared, storage.nbytes)


def _packed(entry: Entry) -> UsageError:
    from paramctl.quantized import PACKINGS  # noqa: PLC0415 (loads numpy)

    what = f"'{entry.name}' is of {entry.dtype.name}, whose "
    if entry.dtype.name in PACKINGS:
        shell = "convert, drop and extract make numbers of them with --dtype float32"
        cast = Spelling(shell, "cast('float32') makes numbers of them")
        return UsageError(f"{what}blocks are not written", hint=cast)
    others = Spelling(
        "and makes numbers of others with --dtype float32",
        "cast('float32') makes numbers of others",
    )
    hint = (verb("drop"), " leaves it out, ", others)
    return UsageError(f"{what}values are not unpacked: it cannot be written", hint=hint)


def storage_of(entry: Entry) -> Storage:
    """Return where an entry's elements lie.

    Raises:
        UsageError: it is no plain tensor.
        MalformedError: it is not in its file.
    """
    if entry.layout == MISSING:
        raise MalformedError(f"'{entry.name}' is missing: it cannot be written")
    if entry.layout == PLANNED:
        what = f"'{entry.name}' has no values yet: only its shape and its type are known"
        raise UsageError(what, hint=(verb("init"), " gives it some"))
    if entry.layout not in ARRAYS or entry.storage is None:
        what = f"'{entry.name}' is {entry.layout}: only plain tensors are written"
        raise UsageError(what, hint=_way_out(entry.layout))
    return entry.storage


def _way_out(layout: str) -> Words:
    """Say what makes a plain tensor of one of another layout, or how to do without."""
    if layout == "meta":
        return (verb("init"), " gives it values, ", Spelling("drop", "drop()"), " leaves it out")
    is_sparse = layout.startswith("sparse_")
    method = "dequantize" if layout == "quantized" else "to_dense" if is_sparse else ""
    dense = f", {method}() in PyTorch makes one of it" if method else ""
    return (verb("drop"), f" leaves it out{dense}")


def _check_name(entry: Entry) -> None:
    try:
        entry.name.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the name '{entry.name}' is not Unicode", hint="rename it") from error
