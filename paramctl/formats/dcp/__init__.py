"""Folders of torch.distributed.checkpoint: `.metadata`, and beside it the files that ranks wrote.

Every chunk of a tensor is a `torch.save` archive somewhere in one of the files; so is what is no
tensor. Source: torch/distributed/checkpoint/filesystem.py and metadata.py of torch 2.13.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from paramctl.checkpoint import MISSING, Checkpoint, Entry, ReadOptions, Storage
from paramctl.errors import LimitError, MalformedError, blaming
from paramctl.formats.dcp.chunks import Assembled, LazyChunk, check_cover
from paramctl.formats.dcp.nesting import nest
from paramctl.formats.dcp.records import Place, Records, Tensor, read_records
from paramctl.formats.dcp.saved import read_saved
from paramctl.formats.headers import check_header
from paramctl.formats.indexes import MAX_SHARDS
from paramctl.formats.missing import shorten
from paramctl.formats.torch.file import foreign_globals, grow_tree, list_tree
from paramctl.sources import Source

REASON = "a file that holds values of it is not there; put it beside .metadata"


def read(source: Source, options: ReadOptions) -> Checkpoint:
    """Read `.metadata` and what is no tensor; chunks of tensors are only looked for.

    Raises:
        MalformedError: it breaks a rule, or the files beside it are not as it says.
        UnsafeError: it names a file that does not stand beside it.
        LimitError: it is longer than the options allow, or names too many files.
    """
    check_header(".metadata", source.size, options.max_header_bytes)
    records = read_records(source.read(0, source.size))
    files = _open_files(source, records, options)
    foreign = dict.fromkeys(records.foreign)
    root = nest(_read_leaves(records, files, foreign), records.paths)
    checkpoint = Checkpoint(source.name, "torch dcp", {}, foreign=tuple(foreign))
    list_tree(checkpoint, grow_tree(root, source.size), options)
    absent = [f"{file} is missing" for file, held in files.items() if held is None]
    checkpoint.complaints = shorten(absent)
    missing = (name for name, entry in checkpoint.items() if entry.layout == MISSING)
    checkpoint.missing = dict.fromkeys(missing, REASON)
    return checkpoint


Files = dict[str, Source | None]


def _open_files(source: Source, records: Records, options: ReadOptions) -> Files:
    """Return the files by name, None for one that is missing; places in them are checked."""
    places: dict[str, list[Place]] = {}
    for place in records.places():
        places.setdefault(place.file, []).append(place)
    if len(places) > MAX_SHARDS:
        raise LimitError(f".metadata names {len(places)} files, over the limit of {MAX_SHARDS}")
    files: Files = {}
    for name, held in places.items():
        file = files[name] = source.beside(name, follow=options.follow)
        if file is not None:
            with blaming(file.name):
                _check_places(held, file.size)
    return files


def _check_places(places: Iterable[Place], nbytes: int) -> None:
    """Make sure that no two of them overlap, and that the file is long enough."""
    in_order = sorted(places, key=lambda place: place.offset)
    for place, following in pairwise(in_order):
        if place.offset + place.length > following.offset:
            raise MalformedError(
                f".metadata puts two things at byte {following.offset} of this file"
            )
    end = in_order[-1].offset + in_order[-1].length
    if end > nbytes:
        raise MalformedError(f"truncated: .metadata needs {end} bytes, the file has {nbytes}")


def _read_leaves(records: Records, files: Files, foreign: dict[str, None]) -> dict[str, object]:
    """Return what was saved by name: the same entry for all names of a tensor."""
    leaves: dict[str, object] = {}
    entries: dict[Tensor, Entry] = {}
    for name, item in records.items.items():
        if not isinstance(item, Tensor):
            leaves[name] = _read_value(name, item, files, foreign)
            continue
        if item not in entries:
            entries[item] = _entry(name, item, files)
        leaves[name] = entries[item]
    return leaves


def _entry(name: str, tensor: Tensor, files: Files) -> Entry:
    """Describe a tensor, whose chunks must fill it."""
    check_cover(name, tensor)
    chunks = list(_chunks(name, tensor, files))
    if len(chunks) < len(tensor.chunks):
        return Entry("", tensor.dtype, tensor.shape, None, layout=MISSING)
    source = Assembled(name, tensor, chunks)
    return Entry("", tensor.dtype, tensor.shape, Storage.whole(source))


def _chunks(name: str, tensor: Tensor, files: Files) -> Iterator[LazyChunk]:
    """Yield the chunks whose files are there."""
    for chunk in tensor.chunks:
        file = files[chunk.place.file]
        if file is not None:
            yield LazyChunk(name, tensor.dtype, chunk, file)


def _read_value(name: str, place: Place, files: Files, foreign: dict[str, None]) -> object:
    """Read what is no tensor, and note the classes that torch would import for it."""
    file = files[place.file]
    if file is None:
        return f"in {place.file}, which is missing"
    with blaming(file.name):
        pickle = read_saved(name, place, file)
        foreign |= dict.fromkeys(foreign_globals(pickle))
    return pickle.value
