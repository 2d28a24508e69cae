"""A spec: a model described in layers. It knows no torch.

    dtype: bfloat16                        # of the parameters; float32 where it says nothing
    input: [2, 3, 32, 32]                  # the shape that `probe` tries
    vars: {d: 64}
    define: {hidden: {Linear: [8, 8]}}     # one module, wherever it stands
    layers: [...]
    tie: {head.weight: wte.weight}         # parameters or layers that are one

A layer is a class of torch.nn (`ReLU`, `Linear: [4, 8]`), a name under `define`, `layers:`,
`residual:`, `parallel:` or `positions:`; `name:` and `repeat:` go with any of them.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import yaml

Join = Literal["add", "concatenate"]
JOINS: tuple[Join, ...] = ("add", "concatenate")
DTYPES = ("float32", "float16", "bfloat16", "float64")
KEY = "paramctl.spec"
"""Where the metadata of a file keeps the spec that its model came from, as JSON."""


class Argument(NamedTuple):
    """A value for a layer's class, by position where `name` is ""."""

    name: str
    value: Any
    node: "yaml.Node"


class Layer(NamedTuple):
    """A module of torch.nn."""

    node: "yaml.Node"
    class_name: str
    arguments: tuple[Argument, ...]


class Chain(NamedTuple):
    """Layers one after the other; their sum with what they are given, if it is a residual one.

    A residual one may have a `shortcut`: layers that what is given passes before it is added.
    """

    node: "yaml.Node"
    layers: tuple["Place", ...]
    is_residual: bool = False
    shortcut: "Chain | None" = None


class Parallel(NamedTuple):
    """Layers that are given the same, and whose outputs are added, or concatenated along `dim`."""

    node: "yaml.Node"
    layers: tuple["Place", ...]
    join: Join
    dim: int


class Positions(NamedTuple):
    """A layer that is given the positions 0, 1, 2, ... of what comes in, not the values."""

    node: "yaml.Node"
    layers: tuple["Place", ...]


Part: TypeAlias = Layer | Chain | Parallel | Positions


class Place(NamedTuple):
    """Where a part stands: its name among its siblings, and as what it is defined, or ""."""

    node: "yaml.Node"
    name: str
    part: Part
    definition: str


class Spec(NamedTuple):
    """A model; `ties` are pairs of an alias and what it is one with, both as nodes of the document.

    `text` is the whole spec as JSON.
    """

    root: Chain
    ties: tuple[tuple["yaml.Node", "yaml.Node"], ...]
    dtype: str
    input: tuple[int, ...]
    text: str


def places_of(part: Part) -> Iterator[tuple[str, Place]]:
    """Yield all places in a part, each with its dotted path."""
    if isinstance(part, Layer):
        return
    children = [*part.layers]
    for place in children:
        yield place.name, place
        for path, inner in places_of(place.part):
            yield f"{place.name}.{path}", inner
    if isinstance(part, Chain) and part.shortcut:
        for path, inner in places_of(part.shortcut):
            yield f"shortcut.{path}", inner
