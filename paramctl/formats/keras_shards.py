"""Keras's sharded weights: HDF5 files, and an index of the groups that are in each of them.

One group, a layer's variables, may go on from one file to the next. Source:
keras/src/saving/saving_lib.py of Keras 3.10 and later, `ShardedH5IOStore`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count

from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.errors import LimitError, MalformedError
from paramctl.formats.beside import read_beside
from paramctl.formats.hdf5 import file as hdf5
from paramctl.formats.hdf5.library import File
from paramctl.formats.hdf5.walk import MAX_DEPTH, MAX_PATH, Contents, Walk
from paramctl.formats.indexes import read_index
from paramctl.formats.keras_config import Config
from paramctl.formats.missing import ABSENT, shorten
from paramctl.formats.pickles import Dict
from paramctl.formats.registry import find_reader
from paramctl.sources import Source

MAX_GROUPS = 1_000_000  # that an index names, with those above them: a byte or two may be one
UNKNOWN = Config({}, ())  # it is in no file of these

Pair = tuple[object, object]


def read(source: Source, options: ReadOptions) -> Checkpoint:
    """Read an index, and of every file that it names where its datasets lie.

    Raises:
        MalformedError: the index is not one, or a file is no HDF5, or a dataset is in two of them.
        UnsafeError: it names a file that does not stand beside it.
        LimitError: it is longer than the options allow, or names too many files.
        UsageError: h5py is not installed.
    """
    index = read_index(source, options, has_lists=True)
    shards = index.by_file()
    whole = _Whole(source.size, index.files)
    complaints = whole.fill(shards, read_beside(source, list(shards), _walk, follow=options.follow))
    checkpoint = Checkpoint(source.name, "sharded hdf5", {})
    hdf5.list_contents(checkpoint, whole, options, UNKNOWN)
    checkpoint.holds = ", ".join(filter(None, [f"{len(shards)} files", checkpoint.holds]))
    checkpoint.metadata |= index.metadata
    told = {*whole.gone.values()}  # of their files
    others = {name: why for name, why in checkpoint.missing.items() if why not in told}
    checkpoint.complaints = shorten(complaints + hdf5.tell_missing(others))
    return checkpoint


def _walk(file: Source) -> Walk:
    if find_reader(file) is not hdf5.read:
        raise MalformedError("no HDF5 file, as the index of a Keras model says")
    opened = File(file)
    walk = Walk(opened)
    opened.release()
    return walk


class _Whole(Contents):
    """What is in all files: the groups of the index in its order, then those that it leaves out."""

    def __init__(self, nbytes: int, index: Mapping[str, Sequence[str]]) -> None:
        super().__init__(nbytes=nbytes)
        self._places: dict[tuple[int, object], Dict | str] = {}
        """A group's id and a key in it -> the group there, or the file of the dataset there."""
        self._index = index
        self.gone: dict[str, str] = {}
        """A file that is not there -> what is said of the variables that may be in it."""
        for path in index:
            self._group(path)
            if len(self._places) > MAX_GROUPS:
                raise LimitError(f"the index names more than {MAX_GROUPS:,} groups")

    def fill(
        self, shards: Mapping[str, Sequence[str]], opened: Iterable[Contents | None]
    ) -> list[str]:
        """Take in what is in each file, None for one that is not there; return what is wrong.

        Raises:
            MalformedError: something else stands where a dataset, or a group, of one is.
        """
        complaints: list[str] = []
        for (file, groups), held in zip(shards.items(), opened, strict=True):
            if held is None:
                complaints.append(f"{file} is missing")
                self.gone[file] = f"{file} is not there; put it beside the index"
            else:
                complaints += self._add(file, held, groups)
        for path, files in self._index.items():
            self._stand_in(path, [self.gone[file] for file in files if file in self.gone])
        return complaints

    def _add(self, file: str, held: Contents, groups: Sequence[str]) -> list[str]:
        """Take in what is in a file; return what is wrong: the index looks for `groups` in it."""
        self.nbytes += held.nbytes
        self.attributes |= held.attributes
        self.others |= held.others
        self.absent |= held.absent
        self.layers |= held.layers
        absent, unlisted = dict.fromkeys(groups), []
        for path, pairs in _split(held.root):
            absent.pop(path, None)
            if path not in self._index:
                unlisted.append(f"'{path}' is in a file, but not in the index")
            self._add_datasets(file, path, pairs)
        return [f"'{path}' is not in {file}" for path in absent] + unlisted

    def _stand_in(self, path: str, reasons: Sequence[str]) -> None:
        """List a variable of a group for each of its files that is not there, and why."""
        group = self._group(path)
        free = (key for key in map(str, count()) if (id(group), key) not in self._places)
        for key, why in zip(free, reasons, strict=False):
            group.pairs.insert(int(key), (key, ABSENT))
            self.absent[".".join([*_parts(path), key])] = why

    def _add_datasets(self, file: str, path: str, pairs: Sequence[Pair]) -> None:
        group = self._group(path)
        for key, _ in pairs:
            other = self._places.setdefault((id(group), key), file)
            if other != file:
                there = "a group elsewhere" if isinstance(other, Dict) else f"in {other} too"
                raise MalformedError(f"dataset '{path}/{key}' of {file} is {there}")
        group.pairs += pairs

    def _group(self, path: str) -> Dict:
        """Return the group at a path, made with those above it where it is new."""
        group = self.root
        for part in _parts(path):
            below = self._places.get((id(group), part))
            if isinstance(below, str):
                raise MalformedError(f"'{part}' of group '{path}' is a dataset in {below}")
            if below is None:
                below = self._places[id(group), part] = Dict()
                group.pairs.append((part, below))
            group = below
        return group


def _parts(path: str) -> list[str]:
    """Return the names that lead to a group: none to the root.

    Raises:
        MalformedError: it is no path.
        LimitError: it is too long.
    """
    if not path:
        return []
    first, *parts = path.split("/")
    if first or not all(parts):
        raise MalformedError(f"weight_map: '{path}' is not the path of a group")
    if len(parts) > MAX_DEPTH or len(path) > MAX_PATH:
        raise LimitError(f"a path of {len(parts)} groups and {len(path):,} characters")
    return parts


def _split(root: Dict) -> Iterator[tuple[str, list[Pair]]]:
    """Yield the path of each group that holds datasets, and these; each group once."""
    waiting = [("", root)]
    passed = {id(root)}
    while waiting:
        path, node = waiting.pop()
        groups = [(key, value) for key, value in node.pairs if isinstance(value, Dict)]
        if len(groups) < len(node.pairs):
            yield path, [pair for pair in node.pairs if not isinstance(pair[1], Dict)]
        for key, value in reversed(groups):
            if id(value) not in passed:
                passed.add(id(value))
                waiting.append((f"{path}/{key}", value))
