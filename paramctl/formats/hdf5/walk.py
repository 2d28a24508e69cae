"""The groups of an HDF5 file as a tree of dictionaries, and what it says beside numbers.

Links are followed inside the file only: the library would open what external ones name.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from paramctl.checkpoint import Entry
from paramctl.errors import LimitError, MalformedError
from paramctl.formats.hdf5.attributes import Attributes
from paramctl.formats.hdf5.datasets import read_dataset
from paramctl.formats.hdf5.element_types import ElementTypes
from paramctl.formats.hdf5.headers import Message, read_header
from paramctl.formats.hdf5.library import File, load_h5py
from paramctl.formats.hdf5.trees import Trees
from paramctl.formats.missing import ABSENT
from paramctl.formats.pickles import Dict
from paramctl.formats.utf8 import decode_utf8

MAX_DEPTH = 256  # groups in one another
MAX_PATH = 4096  # characters; each group below a long name has it in its own
MAX_HOPS = 16  # links to links
VARIABLES, NAME = "vars", "name"  # the group of a layer's own variables, and whose they are: Keras


class Link(NamedTuple):
    """A soft link: a path, from the root or from the group that it stands in."""

    target: str
    group: Dict


class Group(NamedTuple):
    """A group that is not looked into yet, what it becomes, and its dotted path."""

    node: Any
    made: Dict
    path: str
    depth: int


@dataclass
class Contents:
    """What is in a file, or in several.

    Attributes:
        root: the datasets of numbers, each object once.
        attributes: the name of an attribute, behind the path of what has it and `@` -> its value.
        others: the path of a dataset that holds no numbers -> what it holds.
        absent: the path of a dataset -> why its values are not there.
        layers: the path of a group -> the name that Keras gave the layer whose variables it holds.
        nbytes: the bytes that say all this.
    """

    root: Dict = field(default_factory=Dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    layers: dict[str, str] = field(default_factory=dict)
    nbytes: int = 0


class Walk(Contents):
    """What is in a file, found group by group."""

    def __init__(self, file: File) -> None:
        super().__init__(nbytes=file.source.size)
        self._file = file
        self._told = Attributes(file)
        self._trees = Trees(file.source)
        self._types = ElementTypes()
        self._h5py = load_h5py()
        self._nodes: dict[int, Dict | Entry | None] = {}  # by their addresses
        self._links: list[tuple[Link, int, str]] = []  # with their places and paths
        with file.opened() as root:
            self._waiting = deque([Group(root.id, self.root, "", 0)])
            self._nodes[file.root] = self.root
            self._tell_attributes(root.id, self._check(file.root), "")
            while self._waiting:
                self._visit(self._waiting.popleft())
        self._resolve()

    def _visit(self, group: Group) -> None:
        if group.depth > MAX_DEPTH:
            raise LimitError(f"groups are nested more than {MAX_DEPTH} deep")
        for name, info in self._in_order(group.node):
            key = decode_utf8(name, "the name of a link")
            path = f"{group.path}.{key}" if group.path else key
            if len(path) > MAX_PATH:
                raise LimitError(f"the path of a dataset has more than {MAX_PATH:,} characters")
            child = self._open(group, name, info, path)
            if isinstance(child, Link):
                self._links.append((child, len(group.made.pairs), path))
            if child is not None:
                group.made.pairs.append((key, child))

    def _in_order(self, group: Any) -> list[tuple[bytes, Any]]:
        """Return a group's links in the order in which they were made, as far as it is known.

        Where it is not, objects stand in the order in which they lie in the file.
        """
        links = [(name, group.links.get_info(name)) for name in _read_names(group)]
        hard = self._h5py.h5l.TYPE_HARD
        if all(info.corder_valid for _, info in links):
            return sorted(links, key=lambda link: link[1].corder)
        return sorted(links, key=lambda link: (link[1].type != hard, link[1].u))

    def _open(self, group: Group, name: bytes, info: Any, path: str) -> Dict | Entry | Link | None:
        h5l = self._h5py.h5l
        if info.type == h5l.TYPE_SOFT:
            target = group.node.links.get_val(name)
            return Link(decode_utf8(target, "the target of a link"), group.made)
        if info.type != h5l.TYPE_HARD:
            self.absent[path] = "it is in another file, which is not opened"
            return ABSENT
        if info.u not in self._nodes:
            header = self._check(info.u)
            node = self._h5py.h5o.open(group.node, name)
            self._nodes[info.u] = self._read(node, header, path, group.depth + 1)
        return self._nodes[info.u]

    def _check(self, address: int) -> list[Message]:
        """Return the header of an object, where what it leads to is sound."""
        header = read_header(self._file.source, address)
        self._trees.check(header)
        return header

    def _read(self, node: Any, header: list[Message], path: str, depth: int) -> Dict | Entry | None:
        if isinstance(node, self._h5py.h5t.TypeID):
            return None
        self._tell_attributes(node, header, path)
        if isinstance(node, self._h5py.h5g.GroupID):
            made = Dict()
            self._waiting.append(Group(node, made, path, depth))
            return made if len(node) else None
        found = read_dataset(self._file, self._types, node)
        if found is None:
            self.others[path] = _describe(node)
            return None
        entry, absent = found
        if absent:
            self.absent[path] = absent
        return entry

    def _tell_attributes(self, node: Any, header: list[Message], path: str) -> None:
        for name, value in self._told.read(node, header).items():
            self.attributes[f"{path}@{name}" if path else name] = value
            parent, _, last = path.rpartition(".")
            if last == VARIABLES and name == NAME and isinstance(value, str):
                self.layers[parent] = value

    def _resolve(self) -> None:
        """Put what links lead to in their places."""
        members: dict[int, dict[str, object]] = {}
        for link, place, path in self._links:
            node = self._follow(link, members)
            if node is None:
                self.absent[path] = f"it is a link to '{link.target}', where nothing is"
            key, _ = link.group.pairs[place]
            link.group.pairs[place] = (key, ABSENT if node is None else node)

    def _follow(self, link: Link, members: dict[int, dict[str, object]]) -> object:
        """Return what a link leads to, through other links too; None if nothing."""
        for _ in range(MAX_HOPS):
            node: object = self.root if link.target.startswith("/") else link.group
            for part in link.target.split("/"):
                if part in ("", "."):
                    continue
                if not isinstance(node, Dict):
                    return None
                if id(node) not in members:
                    members[id(node)] = node.strings()
                node = members[id(node)].get(part)
            if not isinstance(node, Link):
                return node
            link = node
        return None


def _read_names(group: Any) -> list[bytes]:
    """Return the names of a group's links.

    Raises:
        MalformedError: one is a path: the library would go through groups that are not checked yet.
    """
    names = list(group)
    for name in names:
        if b"/" in name or name in (b"", b"."):
            told = name.decode("utf-8", "backslashreplace")
            raise MalformedError(f"HDF5: a link with the name '{told}', which is a path")
    return names


def _describe(dataset: Any) -> str:
    """Say what a dataset without numbers holds."""
    try:
        dtype = dataset.dtype
        kind = "text" if load_h5py().check_string_dtype(dtype) else str(dtype)
    except TypeError:  # numpy has no such type
        kind = "a type of its own"
    return f"{kind} {'of no shape' if dataset.shape is None else list(dataset.shape)}"
