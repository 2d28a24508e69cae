"""The tree of values that a torch pickle describes: find the model in it and name its tensors.

A file may hold a state dict, a training checkpoint with a state dict somewhere in it, or a whole
pickled module. A pickle of 200 bytes can describe a tree of 10^9 values, or one that holds itself:
every visit is counted, and every character of a name that is put together, and nothing here
recurses along the file's nesting without a limit.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from paramctl.checkpoint import Entry, Kind
from paramctl.errors import AddressError, LimitError
from paramctl.formats.pickles import Dict, Global, Object, label

MODEL_KEYS = (
    "model_state_dict",
    "state_dict",
    "model_state",
    "model",
    "module",
    "net",
    "network",
    "params",
    "weights",
)
MAKERS = ("_reconstruct", "_reconstructor")  # numpy's and copyreg's
MAX_DEPTH = 256
CHARACTERS = 16  # of names, for each visit
MODULE_PARTS: tuple[tuple[str, Kind | None], ...] = (
    ("_parameters", "parameter"),
    ("_buffers", "buffer"),
    ("_modules", None),
)

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
                yield Layer(name, value.function.name)  # type: ignore[union-attr]
            items = _items(value)
            self.visit(len(path), len(items) + _hidden(value))
            for key, child, child_kind in items:
                if isinstance(child, Entry):
                    yield _named(child, self.join(name, key), child_kind)
                elif isinstance(child, CONTAINERS):
                    below = self.join(name, key)
                    yield from self.walk(child, below, child_kind, (*path, id(value)))

    def holds_tensors(self, value: object) -> bool:
        """Whether there is a tensor below `value`."""
        return any(isinstance(found, Entry) for found in self.walk(value))

    def find_model(self) -> tuple[str, object]:
        """Return the path of keys to the part that is the model, "" for all, and that part."""
        path, node = "", self.root
        passed: set[int] = set()
        while isinstance(node, Dict):
            passed.add(id(node))
            parts = node.strings()
            candidates = ((key, parts[key]) for key in MODEL_KEYS if key in parts)
            found = next((pair for pair in candidates if self._is_model(pair[1], passed)), None)
            if found is None:
                break
            path, node = self.join(path, found[0]), found[1]
        return path, node

    def _is_model(self, value: object, passed: set[int]) -> bool:
        is_new = isinstance(value, (Dict, Object)) and id(value) not in passed
        return is_new and self.holds_tensors(value)

    def find_part(self, path: str) -> object:
        """Follow a dotted path of keys; a key may hold dots itself.

        Raises:
            AddressError: there is no such key; names those that are there.
        """
        node, rest = self.root, path
        while rest:
            parts = {key: value for key, value, _ in _items(node)}
            step = next((prefix for prefix in _prefixes(rest) if prefix in parts), None)
            if step is None:
                known = ", ".join(list(parts)[:20]) or "none"
                raise AddressError(f"no key '{rest}' in the checkpoint", hint=f"keys: {known}")
            node, rest = parts[step], rest[len(step) + 1 :]
        return node

    def describe(self, value: object) -> str:
        """Say in a few words what a part of a checkpoint is."""
        if isinstance(value, Entry):
            return f"{value.dtype.name} {list(value.shape)}"
        if isinstance(value, SCALARS):
            text = str(value)
            return text if len(text) <= 40 else f"{text[:37]}..."
        tensors = sum(isinstance(found, Entry) for found in self.walk(value))
        if tensors:
            return f"{tensors:,} tensor{'s'[: tensors != 1]}"
        if isinstance(value, Object):
            return _class_of(value).rpartition(".")[2]
        size = len(_items(value))
        return f"{size:,} value{'s'[: size != 1]}"

    def to_json(self, value: object, path: tuple[int, ...] = ()) -> Any:
        """Return `value` in JSON's types; tensors, bytes and cycles as what they are, in words."""
        self.visit(len(path), 1)
        if isinstance(value, str):
            self._spend(len(value))
        if isinstance(value, (Entry, *SCALARS)):
            return self.describe(value) if isinstance(value, Entry) else value
        if isinstance(value, bytes):
            return f"{len(value)} bytes"
        if id(value) in path:
            return "itself"
        path = (*path, id(value))
        if isinstance(value, (list, tuple)):
            return [self.to_json(item, path) for item in value]
        if isinstance(value, Dict) or _has_attributes(value):
            items = _items(value)
            return {self.join("", key): self.to_json(item, path) for key, item, _ in items}
        return _class_of(value) if isinstance(value, Object) else label(value)

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
        self._spend(len(layer) + len(key))
        return f"{layer}.{key}" if layer else key

    def _spend(self, characters: int) -> None:
        self._characters -= characters
        if self._characters < 0:
            raise LimitError("a small file that unfolds to very much text")


def _has_attributes(value: object) -> bool:
    """Whether an object is pickled by its attributes or items, as against a state of its own."""
    return isinstance(value, Object) and (isinstance(value.state, Dict) or bool(value.pairs))


def _class_of(value: Object) -> str:
    """Return the path of the class that an object is of; what makes objects is given it first."""
    first = value.args[0] if isinstance(value.args, tuple) and value.args else None
    is_maker = isinstance(value.function, Global) and value.function.name in MAKERS
    return label(first if is_maker and isinstance(first, Global) else value.function)


def is_module(value: object) -> bool:
    """Whether a pickled object is a `torch.nn.Module`: its state holds the three dictionaries."""
    if not isinstance(value, Object) or not isinstance(value.state, Dict):
        return False
    return {part for part, _ in MODULE_PARTS} <= value.state.strings().keys()


def _named(entry: Entry, name: str, kind: Kind | None) -> Entry:
    entry = Entry(name, *entry[1:])
    return entry if entry.kind or kind is None else entry._replace(kind=kind)


def _items(node: object) -> list[Child]:
    if isinstance(node, Dict):
        return [
            (key if type(key) is str else _key_name(key), value, None) for key, value in node.pairs
        ]
    if isinstance(node, (list, tuple)) and not isinstance(node, Entry):
        return [(str(place), value, None) for place, value in enumerate(node)]
    if isinstance(node, Object):
        return _module_items(node) if is_module(node) else [*_state(node), *_pair_items(node)]
    return []


def _hidden(node: object) -> int:
    """Return how many values of a module had to be passed by."""
    return len(node.state.pairs) if isinstance(node, Object) and isinstance(node.state, Dict) else 0


def _state(node: Object) -> list[Child]:
    """Return the attributes of an object; where its state is an object, this under `state`."""
    if isinstance(node.state, Object):
        return [("state", node.state, None)]
    return _items(node.state)


def _pair_items(node: Object) -> list[Child]:
    pairs: list[Child] = [(_key_name(key), value, None) for key, value in node.pairs]
    return pairs + [(str(place), value, None) for place, value in enumerate(node.elements)]


def _module_items(module: Object) -> list[Child]:
    assert isinstance(module.state, Dict)  # noqa: S101 (what is_module says, for the type checker)
    state = module.state.strings()
    return [
        (name, value, kind) for part, kind in MODULE_PARTS for name, value, _ in _items(state[part])
    ]


def _key_name(key: object) -> str:
    return str(key) if isinstance(key, SCALARS) else f"<{type(key).__name__}>"


def _prefixes(path: str) -> list[str]:
    steps = path.split(".")
    return [".".join(steps[:count]) for count in range(len(steps), 0, -1)]
