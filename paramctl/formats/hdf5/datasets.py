"""Datasets as entries: those in one piece by their place, others through the library."""

from collections.abc import Iterator
from itertools import pairwise, product
from math import prod
from typing import Any

from paramctl.checkpoint import MISSING, Entry, Storage
from paramctl.errors import LimitError, MalformedError
from paramctl.formats.hdf5.element_types import ElementTypes
from paramctl.formats.hdf5.filters import find_strange, measure, read_filters
from paramctl.formats.hdf5.library import File, load_h5py
from paramctl.slices import MAX_EXPANDED, MAX_TIMES, Box, boxes
from paramctl.sources import Source

MAX_CHUNKS = 250_000  # that may be looked for where few are stored
MAX_TOGETHER = 1 << 12  # chunks that are read by one call: the library takes 7 kB to look for one
MAX_CHUNK = 1 << 30  # bytes of one


def read_dataset(file: File, types: ElementTypes, dataset: Any) -> tuple[Entry, str] | None:
    """Return a dataset as an entry, and why its values are not there, "" where they are.

    None where it holds no numbers.

    Raises:
        MalformedError: it reaches beyond the end of the file.
    """
    shape, found = dataset.shape, types.find(dataset.get_type())
    if shape is None or found is None:
        return None
    dtype, big_endian = found
    entry = Entry("", dtype, shape, None)
    nbytes, properties = entry.nbytes, dataset.get_create_plist()
    absent = _find_unreadable(properties) or _find_absent(dataset, properties, nbytes)
    if absent:
        return entry._replace(layout=MISSING), absent
    source, offset = _locate(file, dataset, nbytes)
    return entry._replace(storage=Storage(source, offset, nbytes, "", big_endian)), ""


def _find_unreadable(properties: Any) -> str:
    """Say why values cannot be read: they are in another file, or packed in a way of its own."""
    if properties.get_external_count():
        name = properties.get_external(0)[0].decode("utf-8", "backslashreplace")
        return f"its values are in the file '{name}', which is not opened"
    if properties.get_layout() == load_h5py().h5d.VIRTUAL:
        return "it is made of other datasets, which may be in other files: they are not opened"
    strange = find_strange(properties)
    return f"its values are packed by {strange}, which is not read" if strange else ""


def _find_absent(dataset: Any, properties: Any, nbytes: int) -> str:
    """Say why values are not in the file: they are only said to be many."""
    stored = dataset.get_storage_size()
    if nbytes > max(MAX_EXPANDED, MAX_TIMES * stored):
        return f"of its {nbytes} bytes {stored} are stored"
    if properties.get_layout() != load_h5py().h5d.CHUNKED:
        return ""
    sizes = zip(dataset.shape, properties.get_chunk(), strict=True)
    chunks = prod(-(-size // chunk) for size, chunk in sizes)
    if chunks > MAX_CHUNKS and chunks > MAX_TIMES * dataset.get_num_chunks():
        return f"of its {chunks} chunks few are stored"
    return ""


def _locate(file: File, dataset: Any, nbytes: int) -> tuple[Source, int]:
    """Return the source of a dataset's elements, and where in it they begin."""
    offset = dataset.get_offset()
    if offset is None or not nbytes:
        return Gathered(file, _path(dataset), nbytes), 0
    if offset + nbytes > file.source.size or dataset.get_storage_size() < nbytes:
        raise MalformedError(f"dataset '{_path(dataset)}' of {nbytes} bytes is cut short")
    return file.source, offset


def _path(dataset: Any) -> str:
    path: bytes = load_h5py().h5i.get_name(dataset)
    return path.decode()


class Gathered(Source):
    """The elements of a dataset that lie in chunks, or nowhere: the library puts them together."""

    sequential = True

    def __init__(self, file: File, path: str, nbytes: int) -> None:
        self.name = file.source.name
        self.size = nbytes
        self._file = file
        self._path = path
        self._unchecked: dict[tuple[int, ...], Any] | None = None  # chunks by their origins

    def _read(self, offset: int, length: int) -> bytes:
        with self._file.opened() as root:
            dataset = root[self._path]
            item = dataset.dtype.itemsize
            first, end = offset // item, -(-(offset + length) // item)
            parts = []
            for box in boxes(dataset.shape, first, end - first):
                for part in _cut(box, dataset.chunks):
                    self._check_chunks(dataset, part)
                    parts.append(dataset[part].tobytes())
        begin = offset - first * item
        return b"".join(parts)[begin : begin + length]

    def _check_chunks(self, dataset: Any, box: Box) -> None:
        """Check that chunks unpack to what they should: the library does not.

        Raises:
            MalformedError: they do not.
            LimitError: one has too many bytes.
        """
        if dataset.chunks is None:
            return
        nbytes = prod(dataset.chunks) * dataset.dtype.itemsize
        if nbytes > MAX_CHUNK:
            raise LimitError(f"dataset '{self._path}' has chunks of {nbytes} bytes")
        filters = read_filters(dataset.id.get_create_plist())
        ranges = (
            range(each.start - each.start % chunk, each.stop, chunk)
            for each, chunk in zip(box, dataset.chunks, strict=True)
        )
        unchecked = self._list_chunks(dataset)
        for origin in product(*ranges):
            if origin not in unchecked:
                continue
            info = unchecked[origin]
            chunk = self._file.source.read(info.byte_offset, info.size)
            if measure(chunk, filters, info.filter_mask, nbytes) != nbytes:
                what = f"a chunk of '{self._path}' does not unpack to its {nbytes} bytes"
                raise MalformedError(what)
            del unchecked[origin]

    def _list_chunks(self, dataset: Any) -> dict[tuple[int, ...], Any]:
        """Return the stored chunks that are still to be checked.

        Raises:
            MalformedError: two have one place: the library would read either.
        """
        if self._unchecked is None:
            listed: list[Any] = []
            dataset.id.chunk_iter(listed.append)
            chunks = {chunk.chunk_offset: chunk for chunk in listed}
            if len(chunks) < len(listed):
                raise MalformedError(f"two chunks of '{self._path}' have one place")
            self._unchecked = chunks
        return self._unchecked

    def release(self) -> None:
        """Close the file until it is asked for again."""
        self._file.release()

    def check_unchanged(self) -> None:
        """Raise FileError if the file has changed."""
        self._file.source.check_unchanged()


def _cut(box: Box, chunks: tuple[int, ...] | None) -> Iterator[Box]:
    """Yield parts of a box in its order, each in few chunks: at their edges, where rows fit."""
    if chunks is None:
        yield box
        return
    counts = [
        (each.stop - 1) // chunk - each.start // chunk + 1
        for each, chunk in zip(box, chunks, strict=True)
    ]
    total = prod(counts)
    if total <= MAX_TOGETHER:
        yield box
        return
    axis = next(place for place, each in enumerate(box) if each.stop - each.start > 1)
    begin, stop = box[axis].start, box[axis].stop
    row, edge = total // counts[axis], chunks[axis] if counts[axis] > 1 else 1
    step = edge * max(1, MAX_TOGETHER // row)
    edges = [begin, *range(begin - begin % edge + step, stop, step), stop]
    for start, end in pairwise(edges):
        yield from _cut((*box[:axis], slice(start, end), *box[axis + 1 :]), chunks)
