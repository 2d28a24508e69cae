"""A checkpoint: a lazy, ordered mapping from parameter names to entries."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal, NamedTuple, TypeVar

from paramctl.dtypes import DType
from paramctl.errors import NameUnknownError, find_closest, tell_some
from paramctl.outline import Outline
from paramctl.sources import Source

MAX_HEADER_BYTES = 100_000_000  # the most that the safetensors format allows
Kind = Literal["parameter", "buffer"]
PLANNED = "planned"  # the layout of a parameter that a spec describes: it has no values yet
MISSING = "missing"  # the layout of a parameter that should be in a file and is not
PLAIN = ("strided", PLANNED)
LAZY = ("conjugate", "negative", "conjugate-negative")  # of values that torch changes on reading
ARRAYS = ("strided", *LAZY)  # the layouts of what is one array
COUNTED = ("total_size", "total_parameters")  # keys under which an index counts its own files


class Storage(NamedTuple):
    """Where bytes lie: `nbytes` of `source` from `offset` on.

    Two entries share memory if and only if their storages are equal. `key` tells storages of one
    source apart that have no bytes; `big_endian` is the order of an element's bytes.
    """

    source: Source
    offset: int
    nbytes: int
    key: str = ""
    big_endian: bool = False

    @classmethod
    def whole(cls, source: Source, *, big_endian: bool = False) -> "Storage":
        """Return all bytes of a source."""
        return cls(source, 0, source.size, big_endian=big_endian)


class Entry(NamedTuple):
    """What a parameter is and where it lies; holds no values and knows no numpy and no torch.

    `offset` and `strides` count elements, from the storage's start; `strides` None is row-major
    and contiguous. `layout` is `strided` for a plain tensor, `planned` for one that has no values
    yet, else says what it is (`sparse_coo`, `quantized`, `meta`, `missing`, ...), and `parts` are
    then the plain tensors it is made of. `kind` and `requires_grad` are None where the file does
    not know. `subclass` names the class of a tensor that is more than a `torch.Tensor`.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    storage: Storage | None
    offset: int = 0
    strides: tuple[int, ...] | None = None
    kind: Kind | None = None
    requires_grad: bool | None = None
    layout: str = "strided"
    subclass: str = ""
    parts: tuple["Entry", ...] = ()

    def __repr__(self) -> str:
        layout = "" if self.layout == "strided" else f"{self.layout} "
        return f"<Entry {self.name!r}: {layout}{self.dtype.name} {list(self.shape)}>"

    @property
    def numel(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes that its values take, packed; of the parts where it is made of some."""
        if self.layout in PLAIN:
            return self.dtype.nbytes(self.numel)
        return sum(part.nbytes for part in self.parts)

    @property
    def summary(self) -> str:
        """Its type and shape: `float32 [8, 4]`."""
        return f"{self.dtype.name} {list(self.shape)}"

    @property
    def extent(self) -> tuple[int, int]:
        """The first byte in the storage that belongs to it, and the one after the last."""
        if not self.numel:
            return (0, 0)
        last = self.offset + 1
        if self.strides is None:
            last += self.numel - 1
        else:
            for size, stride in zip(self.shape, self.strides, strict=True):
                last += (size - 1) * stride
        return (self.dtype.byte_of(self.offset), self.dtype.nbytes(last))


@dataclass(slots=True, repr=False)
class Checkpoint(Mapping[str, Entry]):
    """The named entries of a model, in the file's order, and what else its file says.

    Attributes:
        file: what messages call the file.
        format: the name of its format.
        entries: name -> entry.
        aliases: name -> the name under which the same storage was listed first.
        overlaps: name -> a name before it with which it shares some bytes, but is not tied.
        missing: name -> why its values are not there, and what to do, where they should be.
        types: layer -> the name of its class, where the file knows.
        metadata: what the file says beside tensors; lists may be lazy (`paramctl.lists`).
        holds: which part of a nested checkpoint is listed, "" where there is but one.
        others: the other parts of a nested checkpoint -> what each is, in a few words.
        foreign: the classes and functions named in the file that a loader would import and run.
        complaints: what is wrong with the file though it can be listed.
        build: makes the `torch.nn.Module` on a device, with PyTorch's own values, where it is known
            how; None else. What a spec ties are tensors of their own in it.
        outline: tells the modules of a whole pickled one, which cannot be built; None else.
    """

    file: str
    format: str
    entries: dict[str, Entry]
    aliases: dict[str, str] = field(default_factory=dict)
    overlaps: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    holds: str = ""
    others: dict[str, str] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()
    build: Callable[[str], Any] | None = None
    outline: Callable[[], Outline] | None = None

    def __repr__(self) -> str:
        count = f"{len(self)} tensor{'s' if len(self) != 1 else ''}"
        return f"<{type(self).__name__} {self.file!r}: {count}, {self.format}>"

    @property
    def counted(self) -> tuple[str, ...]:
        """The keys of the metadata that are not the model's but of the index of its files."""
        return COUNTED if self.format.startswith("sharded") else ()

    @property
    def is_planned(self) -> bool:
        """Whether some of its parameters have no values yet."""
        return any(entry.layout == PLANNED for entry in self.entries.values())

    def __getitem__(self, name: str) -> Entry:
        if name in self.entries:
            return self.entries[name]
        close = find_closest(str(name), self.entries)
        hint = f"closest: {', '.join(close)}" if close else tell_some(self.entries)
        raise NameUnknownError(f"no parameter '{name}'", hint=hint, file=self.file)

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def get(self, name: str, default: Any = None) -> Entry | Any:
        """Return an entry, or `default` where there is none; nobody needs its closest names."""
        return self.entries.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


AnyCheckpoint = TypeVar("AnyCheckpoint", bound=Checkpoint)
"""What an edit is given, and returns changed: a checkpoint, or a class of them."""


class ReadOptions(NamedTuple):
    """How to read a file.

    `key` lists that part of a nested checkpoint, `everything` all of them. A header (of
    safetensors, of an index) of more than `max_header_bytes` is not read. `follow` False refuses
    shards that are symbolic links. `nested` makes the metadata of a nested checkpoint all that it
    holds, its tensors as entries.
    """

    key: str = ""
    everything: bool = False
    max_header_bytes: int = 25_000_000
    follow: bool = True
    nested: bool = False
