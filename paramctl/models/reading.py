"""From a document to a spec: what stands where, checked as far as no torch is needed."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from paramctl.checkpoint import Checkpoint
from paramctl.documents import error_at, read_document, read_list, read_mapping, read_text
from paramctl.errors import LimitError, blaming
from paramctl.expressions.quoting import closest
from paramctl.models.scalars import hide_expressions, read_plain, read_value, read_variables
from paramctl.models.spec import (
    DTYPES,
    JOINS,
    KEY,
    Argument,
    Chain,
    Layer,
    Parallel,
    Part,
    Place,
    Positions,
    Spec,
)

MAX_BYTES = 1_000_000
MAX_NODES = 200_000  # keys and values of a document
MAX_PLACES = 100_000  # layers that a spec comes to, repeated ones counted each
MAX_DIMENSION = 2**48 - 1  # as in the safetensors format

PARTS = ("vars", "dtype", "input", "define", "layers", "tie")
BLOCKS = ("layers", "residual", "parallel", "positions")
OPTIONS = ("name", "repeat")
OPTIONS_OF = {"residual": ("shortcut",), "parallel": ("join", "dim")}
TAKEN = {*BLOCKS, *OPTIONS, "shortcut", "join", "dim"}


def read_spec(data: bytes) -> Spec:
    """Return the spec in `data`, which is YAML or JSON.

    Raises:
        UsageError: something in it is wrong; says at which line and column.
        LimitError: it comes to more layers, or to larger ones, than a model has.
    """
    if data.lstrip().startswith(b"{"):
        data = data.replace(b"\t", b" ")  # JSON is YAML but for tabs between its words
    root = read_document(hide_expressions(data), MAX_NODES)
    parts = read_mapping(root, "a spec", PARTS)
    if "layers" not in parts:
        raise error_at(root, "a spec without layers", hint="layers: [{Linear: [4, 8]}, ReLU]")
    return _Reader(parts, json.dumps(read_plain(root), ensure_ascii=False)).read()


def carried_spec(checkpoint: Checkpoint) -> Spec | None:
    """Return the spec that a checkpoint came from, where its metadata says so.

    Raises:
        ParamctlError: as `read_spec`.
    """
    text = checkpoint.metadata.get(KEY)
    if not isinstance(text, str):
        return None
    with blaming(f"{checkpoint.file}: {KEY}"):
        return read_spec(text.encode())


class _Reader:
    """The parts of a document, and what is known of them so far."""

    def __init__(self, parts: Mapping[str, yaml.Node], text: str) -> None:
        self.parts = parts
        self.text = text
        self.variables = read_variables(parts["vars"]) if "vars" in parts else {}
        self.definitions: dict[str, tuple[Part, int]] = {}
        self.count = 0

    def read(self) -> Spec:
        for name, node in self._mapping("define"):
            if not name.isidentifier() or name in TAKEN:
                raise error_at(node, f"'{name}' cannot name a definition")
            before = self.count
            part = self._part(node, *_split(node, ()))
            self.definitions[name] = (part, self.count - before + 1)
        self.count = 0
        node = self.parts["layers"]
        return Spec(
            Chain(node, self._places(node)),
            tuple(self._ties()),
            self._dtype(),
            self._input(),
            self.text,
        )

    def _mapping(self, key: str) -> Iterator[tuple[str, yaml.Node]]:
        if key in self.parts:
            yield from read_mapping(self.parts[key], key).items()

    def _places(self, node: yaml.Node) -> tuple[Place, ...]:
        """Read a list of layers; what has no name is named by its place."""
        places: list[Place] = []
        names: set[str] = set()
        for item in read_list(node, "layers"):
            for place in self._entry(item, len(places)):
                if place.name in names:
                    hint = "write {i} in the name of what repeats"
                    raise error_at(item, f"two layers named '{place.name}'", hint=hint)
                names.add(place.name)
                places.append(place)
        if not places:
            raise error_at(node, "no layers")
        return tuple(places)

    def _entry(self, node: yaml.Node, position: int) -> Iterator[Place]:
        """Yield the places of an entry: one, or as many as it repeats."""
        kind, value, options = _split(node, OPTIONS)
        times = self._repeat(options.get("repeat"))
        for i in range(times):
            name = _name(options.get("name"), i, position + i)
            if kind in self.definitions:
                part, count = self.definitions[kind]
                _refuse_value(kind, value)
                self._count(node, count)
                yield Place(node, name, part, kind)
            else:
                yield Place(node, name, self._part(node, kind, value, options), "")

    def _part(
        self, node: yaml.Node, kind: str, value: yaml.Node | None, options: Mapping[str, Any]
    ) -> Part:
        self._count(node, 1)
        if kind not in BLOCKS:
            return Layer(node, kind, tuple(self._arguments(value)))
        assert value is not None  # noqa: S101 (a block has one: `_split` sees to it)
        places = self._places(value)
        match kind:
            case "residual":
                shortcut = options.get("shortcut")
                inner = Chain(shortcut, self._places(shortcut)) if shortcut else None
                return Chain(node, places, is_residual=True, shortcut=inner)
            case "parallel":
                return self._parallel(node, places, options)
            case "positions":
                return Positions(node, places)
        return Chain(node, places)

    def _parallel(
        self, node: yaml.Node, places: tuple[Place, ...], options: Mapping[str, Any]
    ) -> Parallel:
        text = read_text(options["join"], "join") if "join" in options else JOINS[0]
        join = next((each for each in JOINS if each == text), None)
        if join is None:
            raise error_at(options["join"], f"no join '{text}'", hint=closest(text, JOINS))
        dim = read_value(options["dim"], self.variables) if "dim" in options else 1
        if type(dim) is not int or ("dim" in options and join == "add"):
            raise error_at(options["dim"], "dim is the whole number along which to concatenate")
        return Parallel(node, places, join, dim)

    def _arguments(self, node: yaml.Node | None) -> Iterator[Argument]:
        """Yield what a class is given: a list, a mapping, or one value."""
        if node is None or self._is_nothing(node):
            return
        if isinstance(node, yaml.MappingNode):
            for name, value in read_mapping(node, "the arguments").items():
                yield Argument(name, self._argument(value), value)
        else:
            for value in node.value if isinstance(node, yaml.SequenceNode) else [node]:
                yield Argument("", self._argument(value), value)

    def _is_nothing(self, node: yaml.Node) -> bool:
        return isinstance(node, yaml.ScalarNode) and read_value(node, self.variables) is None

    def _argument(self, node: yaml.Node) -> Any:
        value = read_value(node, self.variables)
        for number in value if isinstance(value, tuple) else (value,):
            if type(number) is int and abs(number) > MAX_DIMENSION:
                raise _limit(node, f"{number} is over 2^48 - 1, the largest size of a tensor")
        return value

    def _repeat(self, node: yaml.Node | None) -> int:
        if node is None:
            return 1
        times = read_value(node, self.variables)
        if type(times) is not int or times < 1:
            raise error_at(node, "repeat is a whole number above 0")
        self._count(node, times, keep=False)
        return times

    def _count(self, node: yaml.Node, places: int, *, keep: bool = True) -> None:
        if self.count + places > MAX_PLACES:
            raise _limit(node, f"more than {MAX_PLACES:,} layers")
        self.count += places if keep else 0

    def _ties(self) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        if "tie" in self.parts:
            read_mapping(self.parts["tie"], "tie")
            for alias, stored in self.parts["tie"].value:
                read_text(stored, "a tied name")
                yield alias, stored

    def _dtype(self) -> str:
        if "dtype" not in self.parts:
            return DTYPES[0]
        text = read_text(self.parts["dtype"], "dtype")
        if text not in DTYPES:
            raise error_at(self.parts["dtype"], f"no dtype '{text}'", hint=closest(text, DTYPES))
        return text

    def _input(self) -> tuple[int, ...]:
        if "input" not in self.parts:
            return ()
        sizes = self._argument(self.parts["input"])
        if not (isinstance(sizes, tuple) and all(type(size) is int and size > 0 for size in sizes)):
            hint = "input: [2, 3, 32, 32]"
            raise error_at(self.parts["input"], "input is no list of sizes", hint=hint)
        return sizes


def _split(
    node: yaml.Node, options: tuple[str, ...]
) -> tuple[str, yaml.Node | None, dict[str, yaml.Node]]:
    """Return what an entry is, what stands behind that word, and its options."""
    if isinstance(node, yaml.ScalarNode):
        kind = read_text(node, "a layer")
        if kind in BLOCKS:
            raise error_at(node, f"'{kind}' of nothing")
        return kind, None, {}
    members = read_mapping(node, "a layer")
    kinds = [key for key in members if key in BLOCKS or key not in TAKEN]
    if len(kinds) != 1:
        listed = ", ".join(f"'{kind}'" for kind in kinds[:3])
        what = f"one layer that is several: {listed}" if kinds else "a layer that is nothing"
        raise error_at(node, what, hint="each layer is an item of its own: - Linear: [4, 8]")
    kind = kinds[0]
    allowed = (*options, *OPTIONS_OF.get(kind, ()))
    given = {key: value for key, value in members.items() if key != kind}
    for key, value in given.items():
        if key not in allowed:
            hint = closest(key, allowed) if allowed else "here it has a class and arguments only"
            raise error_at(value, f"'{kind}' has no '{key}'", hint=hint)
    return kind, members[kind], given


def _refuse_value(kind: str, value: yaml.Node | None) -> None:
    if value is not None and value.value:
        raise error_at(value, f"'{kind}' is defined with its arguments", hint=f"write - {kind}")


def _name(node: yaml.Node | None, i: int, position: int) -> str:
    """Return a layer's name: what `name` says, with its number for `{i}`, else its place."""
    if node is None:
        return str(position)
    name = read_text(node, "a name").replace("{i}", str(i))
    if name == "__metadata__":
        raise error_at(node, "no layer can be named '__metadata__': safetensors has it")
    if "." in name or not name.isprintable():
        raise error_at(node, "a name of letters without dots, please: dots part layers")
    return name


def _limit(node: yaml.Node, what: str) -> LimitError:
    place = error_at(node, what)
    return LimitError(place.what, where=place.where)
