"""TorchScript archives: a module as attributes of compiled classes.

The classes' source, `code/__torch__/.../linear.py`, is text in the archive; two of its lines say
which attributes are parameters and which are buffers. It is read for these and never compiled.
"""

import re

from paramctl.checkpoint import Checkpoint, Entry, Kind
from paramctl.errors import MalformedError
from paramctl.formats.pickles import Dict, Global, Object, Pickle
from paramctl.formats.torch.archive import Archive
from paramctl.formats.torch.file import foreign_globals, make_tree
from paramctl.formats.torch.tree import Tree
from paramctl.ties import resolve_shared

PREFIX = "__torch__"

_DECLARED = re.compile(
    r"^(?:class (?P<type>\w+)\(Module\):"
    r"|  __(?P<kind>parameters|buffers)__ = \[(?P<names>[^\]\n]*)\])",
    re.MULTILINE,
)
_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"')

Kinds = dict[str, Kind]


def read(archive: Archive, pickle: Pickle) -> Checkpoint:
    """List a TorchScript module's parameters and buffers.

    Raises:
        MalformedError: there is no module in the pickle.
        LimitError: the module unfolds to more than a file of its size should hold.
    """
    checkpoint = Checkpoint(archive.source.name, "TorchScript", {}, holds="a whole module")
    checkpoint.foreign = tuple(
        name for name in foreign_globals(pickle) if not name.startswith(PREFIX)
    )
    if not isinstance(pickle.value, Object):
        raise MalformedError("not a TorchScript module, but an archive with constants.pkl")
    tree = make_tree(pickle)
    code = Code(archive)
    stack: list[tuple[str, object, int]] = [("", pickle.value, 0)]
    while stack:
        name, node, depth = stack.pop()
        if isinstance(node, Object) and isinstance(node.function, Global):
            checkpoint.types[name] = node.function.name
            attributes = node.state.strings() if isinstance(node.state, Dict) else {}
            tree.visit(depth, len(attributes))
            below = _add_tensors(checkpoint, tree, name, attributes, code.kinds_of(node.function))
            stack += [(inner, module, depth + 1) for inner, module in reversed(below)]
    resolve_shared(checkpoint)
    return checkpoint


def _add_tensors(
    checkpoint: Checkpoint, tree: Tree, layer: str, attributes: dict[str, object], kinds: Kinds
) -> list[tuple[str, object]]:
    """Name the tensors among the attributes of a module and return the modules among them."""
    below: list[tuple[str, object]] = []
    for attribute, value in attributes.items():
        if isinstance(value, Entry) and attribute in kinds:
            name = tree.join(layer, attribute)
            checkpoint.entries[name] = value._replace(name=name, kind=kinds[attribute])
        elif isinstance(value, Object):
            below.append((tree.join(layer, attribute), value))
    return below


class Code:
    """The source of an archive's classes: which of their attributes are parameters or buffers."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._files: dict[str, dict[str, Kinds]] = {}

    def kinds_of(self, found: Global) -> Kinds:
        """Return attribute -> kind for a class of the archive."""
        file = self._files.get(found.module)
        if file is None:
            source = self._archive.text(f"code/{found.module.replace('.', '/')}.py")
            file = self._files[found.module] = _read_declarations(source)
        return file.get(found.name, {})


def _read_declarations(source: str) -> dict[str, Kinds]:
    """Return class -> attribute -> kind, by the lines that declare them."""
    classes: dict[str, Kinds] = {}
    kinds: Kinds = {}
    for declared in _DECLARED.finditer(source):
        if declared["type"]:
            kinds = classes[declared["type"]] = {}
        kind: Kind = "parameter" if declared["kind"] == "parameters" else "buffer"
        kinds |= dict.fromkeys(_NAME.findall(declared["names"] or ""), kind)
    return classes
