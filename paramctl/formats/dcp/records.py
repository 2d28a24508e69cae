"""What `.metadata` says: the tensors and their chunks, and where in which file each of them is."""

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

from paramctl.dtypes import DType
from paramctl.errors import LimitError, MalformedError, UnsafeError, UsageError
from paramctl.formats.beside import is_beside
from paramctl.formats.pickles import Dict, Object, label
from paramctl.formats.torch.file import read_whole_pickle
from paramctl.formats.torch.tensors import read_dtype, read_sizes
from paramctl.formats.torch.tree import class_of, state_of

ROOM = "torch.distributed.checkpoint.metadata."
TENSORS, BYTES = f"{ROOM}TensorStorageMetadata", f"{ROOM}BytesStorageMetadata"
MAX_OFFSET = 2**63 - 1

Path = tuple[str | int, ...]
"""The keys that lead to a value in the state dict that was saved."""


class Place(NamedTuple):
    """Some bytes of a file; `transforms` says what was done to them."""

    file: str
    offset: int
    length: int
    transforms: str

    def check_plain(self, name: str) -> None:
        """Raise UsageError where the bytes were compressed or the like."""
        if self.transforms:
            raise UsageError(f"'{name}' is stored through {self.transforms}, which is not undone")

    @property
    def places(self) -> tuple["Place"]:
        """This place alone."""
        return (self,)


class Chunk(NamedTuple):
    """A chunk of a tensor: its place in the tensor, its shape, and where it is stored."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    place: Place


class Tensor(NamedTuple):
    """A tensor in chunks; two names of the same ones are tied."""

    dtype: DType
    shape: tuple[int, ...]
    chunks: tuple[Chunk, ...]

    @property
    def places(self) -> tuple[Place, ...]:
        """Where the chunks are."""
        return tuple(chunk.place for chunk in self.chunks)


class Records(NamedTuple):
    """What was saved by name, a value that is no tensor as its place; and the paths of the names.

    `foreign` are the classes of no use here that the pickle names.
    """

    items: dict[str, Tensor | Place]
    paths: dict[str, Path]
    foreign: tuple[str, ...]

    def places(self) -> list[Place]:
        """Return all places, those of a tensor that has several names once.

        Raises:
            MalformedError: two different things are at one.
        """
        items = dict.fromkeys(self.items.values())
        places = [place for item in items for place in item.places]
        if len(set(places)) < len(places):
            raise MalformedError(".metadata puts two things at one place of a file")
        return places


KNOWN = (
    *(f"{ROOM}{name}" for name in ("Metadata", "ChunkStorageMetadata", "TensorProperties")),
    *(f"{ROOM}{name}" for name in ("MetadataIndex", "StorageMeta", "_MEM_FORMAT_ENCODING")),
    *(TENSORS, BYTES, "torch.distributed.checkpoint.filesystem._StorageInfo"),
    *("torch.serialization._get_layout", "torch.Size", "pathlib.PosixPath", "pathlib.WindowsPath"),
    *("pathlib._local.PosixPath", "pathlib._local.WindowsPath"),
)


def read_records(data: bytes) -> Records:
    """Read the pickle.

    Raises:
        MalformedError: it is not torch's, or contradicts itself.
        UnsafeError: it names a file that does not stand beside it.
    """
    pickle = read_whole_pickle(data, _refuse_storage)
    parts = _attributes(pickle.value, f"{ROOM}Metadata")
    places = _read_places(parts.get("storage_data"))
    items = {
        name: _read_item(name, value, places)
        for name, value in _named(parts.get("state_dict_metadata"), "state_dict_metadata")
    }
    for name in places:
        raise MalformedError(
            f".metadata places '{name}' or a chunk of it, and does not describe it"
        )
    foreign = (found.path for found in pickle.globals if found.path not in KNOWN)
    kept = (path for path in foreign if not path.startswith("torch."))
    return Records(items, _read_paths(parts.get("planner_data"), len(data)), tuple(kept))


def _refuse_storage(_pid: object) -> object:
    raise MalformedError(".metadata holds a tensor itself")


def _attributes(value: object, path: str) -> dict[str, object]:
    """Return the attributes of an object of a class of torch's."""
    if not isinstance(value, Object) or label(class_of(value)) != path:
        raise MalformedError(f".metadata holds {label(value)} where a {path} should be")
    return state_of(value)


def _named(value: object, what: str) -> Iterator[tuple[str, object]]:
    """Yield the pairs of a dictionary of names."""
    if not isinstance(value, Dict):
        raise MalformedError(f"{what} of .metadata is no dictionary")
    seen = set()
    for name, item in value.pairs:
        if type(name) is not str or name in seen:
            raise MalformedError(f"{what} of .metadata has the key {label(name)} twice, or no name")
        seen.add(name)
        yield name, item


Places = dict[str, dict[tuple[int, ...], Place]]
"""Where the chunks are, by name and offsets; what is no tensor has none."""


def _read_places(value: object) -> Places:
    if not isinstance(value, Dict):
        raise MalformedError("storage_data of .metadata is no dictionary: torch has not written it")
    places: Places = {}
    for index, info in value.pairs:
        key = _attributes(index, f"{ROOM}MetadataIndex")
        name, offsets = key.get("fqn"), key.get("offset")
        if type(name) is not str:
            raise MalformedError(f".metadata places {label(name)}, which is no name")
        at = () if offsets is None else read_sizes(offsets, "offset")
        held = places.setdefault(name, {})
        if at in held:
            raise MalformedError(f".metadata places '{name}' at {list(at)} twice")
        held[at] = _read_place(name, info)
    return places


def _read_place(name: str, info: object) -> Place:
    stored = _attributes(info, "torch.distributed.checkpoint.filesystem._StorageInfo")
    file, offset, length = (stored.get(key) for key in ("relative_path", "offset", "length"))
    if type(file) is not str or not file:
        raise MalformedError(f"the file of '{name}' is not a file's name")
    if not is_beside(file):
        raise UnsafeError(f"'{name}' is said to be in '{file}', not beside it")
    if type(offset) is not int or type(length) is not int:
        raise MalformedError(f"'{name}' is at no byte of a file")
    if not (0 <= offset <= MAX_OFFSET and 0 <= length <= MAX_OFFSET):
        raise MalformedError(f"'{name}' is {length} bytes at byte {offset}")
    transforms = stored.get("transform_descriptors")
    told = ", ".join(map(label, transforms[:4])) if isinstance(transforms, list) else ""
    return Place(file, offset, length, told)


def _read_item(name: str, value: object, places: Places) -> Tensor | Place:
    """Read what is said of a name, and take its places away."""
    held = places.pop(name, {})
    if isinstance(value, Object) and label(class_of(value)) == BYTES:
        if held.keys() != {()}:
            raise MalformedError(f".metadata does not say where '{name}' is, or more than once")
        return held[()]
    parts = _attributes(value, TENSORS)
    shape, chunks = read_sizes(parts.get("size"), "shape"), parts.get("chunks")
    if not isinstance(chunks, list) or len(chunks) != len(held):
        raise MalformedError(f".metadata does not say where every chunk of '{name}' is")
    dtype = _dtype_of(name, parts.get("properties"))
    read = tuple(_read_chunk(name, chunk, dtype, held) for chunk in chunks)
    return Tensor(dtype, shape, read)


def _read_chunk(
    name: str, chunk: object, dtype: DType, held: dict[tuple[int, ...], Place]
) -> Chunk:
    parts = _attributes(chunk, f"{ROOM}ChunkStorageMetadata")
    offsets = read_sizes(parts.get("offsets"), "offset")
    place = held.get(offsets)
    if place is None:
        raise MalformedError(f".metadata does not say where the chunk of '{name}' at {offsets} is")
    sizes = read_sizes(parts.get("sizes"), "shape")
    if not place.transforms and dtype.nbytes(prod(sizes)) > place.length:
        raise MalformedError(f"a chunk {list(sizes)} of '{name}' in {place.length} bytes")
    return Chunk(offsets, sizes, place)


def _dtype_of(name: str, properties: object) -> DType:
    state = properties.state if isinstance(properties, Object) else None
    dtype = read_dtype(state[0] if isinstance(state, tuple) and state else None)
    if dtype.bits % 8:
        raise MalformedError(f"'{name}' of {dtype.name}: its chunks would not be whole bytes")
    return dtype


def _read_paths(value: object, nbytes: int) -> dict[str, Path]:
    """Read where in the saved state dict names were; not every planner says it."""
    if not isinstance(value, Dict):
        return {}
    paths: dict[str, Path] = {}
    left = nbytes
    for name, path in _named(value, "planner_data"):
        if type(path) is tuple and path and all(type(key) in (str, int) for key in path):
            left -= len(path)
            paths[name] = path
        if left < 0:
            raise LimitError("a small .metadata that unfolds to very long paths")
    return paths
