"""The tree of values that a torch pickle describes: name its tensors, tell its other values.

A file may hold a state dict, a training checkpoint with a state dict somewhere in it, or a whole
pickled module. A pickle of 200 bytes can describe a tree of 10^9 values, or one that holds itself:
every visit is counted, and every character of a name that is put together, and nothing here
recurses along the file's nesting without a limit.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from paramctl.checkpoint import Entry, Kind
from paramctl.errors import LimitError
from paramctl.formats.pickles import Dict, Global, Object, label
from paramctl.formats.torch.keys import name_key
from paramctl.formats.torch.scalars import read_scalar
from paramctl.formats.torch.storages import TypedStorage

MAKERS = ("_reconstruct", "_reconstructor")  # numpy's and copyreg's
MAX_DEPTH = 256
MAX_TEXT = 40  # characters of a value that is described
CHARACTERS = 16  # of names, for each visit
MODULE_PARTS: tuple[tuple[str, Kind | None], ...] = (
    ("_parameters", "parameter"),
    ("_buffers", "buffer"),
    ("_modules", None),
)
TRANSIENT = "_non_persistent_buffers_set"  # buffers that `state_dict` leaves out

CONTAINERS = (Dict, Object, list, tuple)
SCALARS = (str, int, float, type(None))

Child = tuple[str, object, Kind | None]


class Layer(NamedTuple):
    """A module in the tree: its dotted name and the name of its class."""

    name: str
    type: str


class Tree:
    """The values below `root`; at most `visits` of them are looked at, however often."""

    def __init__(self, root: object, visits: int) -> None:
        self.root = root
        self._visits = visits
        self._characters = CHARACTERS * visits
        self._holding: dict[int, bool] = {}

    def walk(
        self, value: object, name: str = "", kind: Kind | None = None, path: tuple[int, ...] = ()
    ) -> Iterator[Entry | Layer]:
        """Yield the tensors and modules below `value` in order, by their dotted names.

        Raises:
            LimitError: the tree unfolds to more values than a file of its size should hold.
        """
        if isinstance(value, Entry):
            yield _named(value, name, kind)
        elif isinstance(value, CONTAINERS) and id(value) not in path:  # it may hold itself
            if is_module(value):
                yield Layer(name, class_name(value))
            items = self.items(value)
            self.visit(len(path), len(items) + _hidden(value))
            for key, child, child_kind in items:
                if isinstance(child, Entry):
                    yield _named(child, self.join(name, key), child_kind)
                elif isinstance(child, CONTAINERS):
                    below = self.join(name, key)
                    yield from self.walk(child, below, child_kind, (*path, id(value)))

    def holds_tensors(self, value: object) -> bool:
        """Whether there is a tensor below `value`, a part of the tree."""
        if isinstance(value, Entry) or not isinstance(value, CONTAINERS):
            return isinstance(value, Entry)
        holds = self._holding.get(id(value))
        if holds is None:
            holds = any(isinstance(found, Entry) for found in self.walk(value))
            self._holding[id(value)] = holds
        return holds

    def describe(self, value: object) -> str:
        """Say in a few words what a part of a checkpoint is."""
        if isinstance(value, Entry):
            return value.summary
        if self.holds_tensors(value):
            tensors = sum(isinstance(found, Entry) for found in self.walk(value))
            return f"{tensors:,} tensor{'s'[: tensors != 1]}"
        if isinstance(value, CONTAINERS):
            return self._describe_container(value)
        if isinstance(value, (bytes, TypedStorage)):
            return _describe_bytes(value)
        text = label(value)
        return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}..."

    def _describe_container(self, value: object) -> str:
        if isinstance(value, Object):
            number = read_scalar(value)
            return class_name(value) if number is None else str(number)
        size = len(self.items(value))
        return f"{size:,} value{'s'[: size != 1]}"

    def to_json(self, value: object, path: tuple[int, ...] = (), *, in_module: bool = False) -> Any:
        """Return `value` in JSON's types, its tensors as entries; what else there is, in words.

        Of a module its own attributes are told, those of the modules in it are not.
        """
        self.visit(len(path), 0)
        if isinstance(value, str):
            self.spend(len(value))
        if isinstance(value, (Entry, *SCALARS)):
            return value
        if id(value) in path:
            return "itself"
        path = (*path, id(value))
        if isinstance(elements := _elements(value), (list, tuple)):
            return [self.to_json(item, path, in_module=in_module) for item in elements]
        if isinstance(value, Dict) or _has_attributes(value):
            items = self.items(value) if in_module else [*_attributes(value), *self.items(value)]
            in_module = in_module or is_module(value)
            return {
                self.join("", key): self.to_json(item, path, in_module=in_module)
                for key, item, _ in items
            }
        return self._to_words(value)

    def _to_words(self, value: object) -> Any:
        """Return a number of numpy's, and of anything else what it is in words."""
        if isinstance(value, (bytes, TypedStorage)):
            return _describe_bytes(value)
        if not isinstance(value, Object):
            return label(value)
        number = read_scalar(value)
        if number is not None:
            return number
        return label(class_of(value)) if _is_made(value) else self._name(value)

    def items(self, node: object) -> list[Child]:
        """Return the parts of a container by name; of a module what its `state_dict` has."""
        if isinstance(node, Dict):
            return [
                (key if type(key) is str else self._name(key), value, None)
                for key, value in node.pairs
            ]
        if isinstance(node, (list, tuple)) and not isinstance(node, Entry):
            return [(str(place), value, None) for place, value in enumerate(node)]
        if not isinstance(node, Object):
            return []
        if is_module(node):
            return self._module_items(node)
        if _is_script_object(node):
            return self.items(_elements(node))
        pairs: list[Child] = [(self._name(key), value, None) for key, value in node.pairs]
        elements = [(str(place), value, None) for place, value in enumerate(node.elements)]
        return [*self._state(node), *pairs, *elements]

    def _state(self, node: Object) -> list[Child]:
        """Return the attributes of an object; where its state is an object, this under `state`."""
        if isinstance(node.state, Object):
            return [("state", node.state, None)]
        return self.items(node.state)

    def _module_items(self, module: Object) -> list[Child]:
        parts = state_of(module)
        transient = _texts(parts.get(TRANSIENT))
        named = [
            (name, value, kind)
            for part, kind in MODULE_PARTS
            for name, value, _ in self.items(parts[part])
            if kind != "buffer" or name not in transient
        ]
        packed = [(name, part, None) for name, part in parts.items() if _is_script_object(part)]
        return [*named, *packed]

    def _name(self, key: object) -> str:
        name = name_key(key)
        self.spend(len(name))
        return name

    def visit(self, depth: int, values: int) -> None:
        """Count a visit of a container of so many values.

        Raises:
            LimitError: there were too many, or it lies too deep.
        """
        self._visits -= 1 + values
        if self._visits < 0:
            raise LimitError("a small file that unfolds to very many values")
        if depth > MAX_DEPTH:
            raise LimitError(f"values are nested more than {MAX_DEPTH} deep")

    def join(self, layer: str, key: str) -> str:
        """Put a dotted name together.

        Raises:
            LimitError: the names have too many characters in all.
        """
        self.spend(len(layer) + len(key))
        return f"{layer}.{key}" if layer else key

    def spend(self, characters: int) -> None:
        """Count characters of text that is put together.

        Raises:
            LimitError: there were too many.
        """
        self._characters -= characters
        if self._characters < 0:
            raise LimitError("a small file that unfolds to very much text")


def _has_attributes(value: object) -> bool:
    """Whether an object is pickled by its attributes or items, as against a state of its own."""
    return isinstance(value, Object) and (isinstance(value.state, Dict) or bool(value.pairs))


def _elements(value: object) -> object:
    """Return what a deque, a script object or the like holds; any other value as it is."""
    if isinstance(value, Object) and _is_script_object(value):
        return value.state[0]  # type: ignore[index]
    if isinstance(value, Object) and value.elements and not _has_attributes(value):
        return value.elements
    return value


def _is_made(value: Object) -> bool:
    """Whether an object is the call of what makes objects, given its class first."""
    return isinstance(value.function, Global) and value.function.name in MAKERS


def class_of(value: Object) -> object:
    """Return what stands for the class of an object: a Global, where the pickle names one."""
    first = value.args[0] if isinstance(value.args, tuple) and value.args else None
    return first if _is_made(value) and isinstance(first, Global) else value.function


def class_name(value: object) -> str:
    """Return the name of the class that an object is of, without the path to it."""
    return label(class_of(value) if isinstance(value, Object) else value).rpartition(".")[2]


def _texts(values: object) -> set[str]:
    return {text for text in values if type(text) is str} if isinstance(values, list) else set()


def is_module(value: object) -> bool:
    """Whether a pickled object is a `torch.nn.Module`: its state holds the three dictionaries."""
    return {part for part, _ in MODULE_PARTS} <= state_of(value).keys()


def _is_script_object(value: object) -> bool:
    """Whether a value is an object of torch's in C++: its state, and the name of its class.

    In a quantized layer it holds the tensors.
    """
    return (
        isinstance(value, Object)
        and label(value.function) == "torch.ScriptObject"
        and type(value.state) is tuple
        and len(value.state) == 2
    )


def _describe_bytes(value: bytes | TypedStorage) -> str:
    if isinstance(value, TypedStorage):
        return f"a storage of {value.storage.nbytes} bytes"
    return f"{len(value)} bytes"


def _named(entry: Entry, name: str, kind: Kind | None) -> Entry:
    entry = Entry(name, *entry[1:])
    return entry if entry.kind or kind is None else entry._replace(kind=kind)


def _hidden(node: object) -> int:
    """Return how many values of a module had to be passed by."""
    return len(node.state.pairs) if isinstance(node, Object) and isinstance(node.state, Dict) else 0


def state_of(value: object) -> dict[str, object]:
    """Return the attributes that an object is pickled with, by their names."""
    state = value.state if isinstance(value, Object) else None
    return state.strings() if isinstance(state, Dict) else {}


def _attributes(value: object) -> list[Child]:
    """Return what a module was given beside its tensors and modules, private parts apart."""
    attributes = state_of(value).items() if is_module(value) else ()
    return [(name, part, None) for name, part in attributes if not name.startswith("_")]
