"""An outline: what is told of a module where it is printed, and no module itself."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Outline(NamedTuple):
    """A module as it is printed: the name of its class, what this says of itself, its children.

    A child is None where the module keeps a place that nothing stands in. `parameters` maps the
    names of the module's own to their numbers of values. `folds` is how a ModuleList is printed:
    children that read alike, one behind the other, are one. `text` is what a class with a
    `__repr__` of its own prints in the place of all this.
    """

    class_name: str
    extra: str = ""
    children: Sequence[tuple[str, "Outline | None"]] = ()
    parameters: Mapping[str, int] = {}
    folds: bool = False
    text: str = ""
