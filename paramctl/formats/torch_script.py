"""TorchScript archives: a module as attributes of compiled classes.

The classes' source, `code/__torch__/.../linear.py`, is text in the archive; two of its lines say
which attributes are parameters and which are buffers. It is read for these and never compiled.
"""

import re

from paramctl.checkpoint import Checkpoint, Entry, Kind
from paramctl.formats.pickles import Dict, Global, Object, Pickle
from paramctl.formats.torch_archive import Archive
from paramctl.formats.torch_file import foreign_globals
from paramctl.ties import resolve_shared

PREFIX = "__torch__"
MAX_LAYERS = 1_000_000

_DECLARED = re.compile(r"^  __(parameters|buffers)__ = \[([^\]\n]*)\]", re.MULTILINE)
_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"')


def read(archive: Archive, pickle: Pickle) -> Checkpoint:
    """List a TorchScript module's parameters and buffers."""
    checkpoint = Checkpoint(archive.source.name, "TorchScript", {}, holds="a whole module")
    checkpoint.foreign = tuple(
        name for name in foreign_globals(pickle) if not name.startswith(PREFIX)
    )
    kinds = Kinds(archive)
    stack: list[tuple[str, object]] = [("", pickle.value)]
    while stack and len(checkpoint.types) < MAX_LAYERS:
        name, node = stack.pop()
        if isinstance(node, Object) and isinstance(node.function, Global):
            checkpoint.types[name] = node.function.name
            stack += reversed(_add_tensors(checkpoint, name, node, kinds.of(node.function)))
    resolve_shared(checkpoint)
    return checkpoint


def _add_tensors(
    checkpoint: Checkpoint, layer: str, module: Object, kinds: dict[str, Kind]
) -> list[tuple[str, object]]:
    """Name the tensors of one module and return the modules in it."""
    below: list[tuple[str, object]] = []
    attributes = module.state.strings() if isinstance(module.state, Dict) else {}
    for attribute, value in attributes.items():
        name = f"{layer}.{attribute}" if layer else attribute
        if isinstance(value, Entry) and attribute in kinds:
            checkpoint.entries[name] = value._replace(name=name, kind=kinds[attribute])
        elif isinstance(value, Object):
            below.append((name, value))
    return below


class Kinds:
    """Which attributes of a class are parameters and which are buffers, by its source."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._known: dict[str, dict[str, Kind]] = {}

    def of(self, found: Global) -> dict[str, Kind]:
        """Return attribute -> kind for a class of the archive."""
        if str(found) not in self._known:
            source = self._archive.text(f"code/{found.module.replace('.', '/')}.py")
            _, _, body = source.partition(f"class {found.name}(Module):\n")
            body, _, _ = body.partition("\nclass ")
            self._known[str(found)] = {
                name: "parameter" if declared[1] == "parameters" else "buffer"
                for declared in _DECLARED.finditer(body)
                for name in _NAME.findall(declared[2])
            }
        return self._known[str(found)]
