"""What a whole pickled module prints, without the module.

Only a class of `torch.nn` is looked up, among the modules that `import torch` has loaded. Its
`extra_repr`, torch's own code, is run on an instance that was never set up: what it finds there are
the numbers and texts that the pickle holds, and tensors without values. Any other class is known by
its name alone. Nothing is imported, made or called by the file's word.
"""

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import torch
from torch import nn

from paramctl.checkpoint import Entry
from paramctl.errors import LimitError, MalformedError
from paramctl.formats.pickles import Dict, Global, Object
from paramctl.formats.torch.tree import Tree, class_name, class_of, state_of
from paramctl.models.outlines import folds
from paramctl.outline import Outline

TORCH_NN = "torch.nn.modules."
MAX_MODULES = 1 << 17  # 5 seconds; one that stands in several places counts in each
MAX_TEXT = 1_000  # characters of an attribute
MAX_NESTING = 3  # of tuples in it
UNINITIALIZED = "uninitialized"  # the layout of a lazy module's parameters: no shape yet
OF_EVERY_MODULE = frozenset(vars(nn.Module()))
ABSENT = object()


def outline_pickle(tree: Tree, root: object) -> Outline:
    """Return the outline of the module that `root`, a part of a pickle, describes.

    Raises:
        MalformedError: a module holds itself.
        LimitError: there are too many modules, or too deep in one another.
    """
    return _Outliner(tree).outline(root, ())


class _Outliner:
    """Counts what it looks at, as trees do: a small pickle can unfold to very many modules."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.left = MAX_MODULES

    def outline(self, module: object, path: tuple[int, ...]) -> Outline:
        """Return the outline of a module that lies in those of `path`."""
        if id(module) in path:
            raise MalformedError("a module that holds itself")
        state = state_of(module)
        self.tree.visit(len(path), len(state))
        self.left -= 1
        if self.left < 0:
            raise LimitError(f"more than {MAX_MODULES:,} modules")
        cls = _find_class(module)
        parameters = _dictionary(state, "_parameters")
        return Outline(
            class_name(module),
            "" if cls is None else self._extra(cls, state, parameters),
            list(self._children(state, (*path, id(module)))),
            {k: _numel(entry) for k, entry in parameters.items() if isinstance(entry, Entry)},
            folds=cls is not None and folds(cls),
        )

    def _children(
        self, state: dict[str, object], path: tuple[int, ...]
    ) -> Iterator[tuple[str, Outline | None]]:
        for name, child in _dictionary(state, "_modules").items():
            if child is None:
                yield name, None
            elif isinstance(child, Object):
                yield name, self.outline(child, path)

    def _extra(
        self, cls: type[nn.Module], state: dict[str, object], parameters: dict[str, object]
    ) -> str:
        """Return what a class of torch says of itself; nothing where the pickle does not fit it."""
        bare = object.__new__(cls)
        nn.Module.__init__(bare)
        for name, value in state.items():
            if name not in OF_EVERY_MODULE and not hasattr(cls, name):
                plain = self._plain(value)
                if plain is not ABSENT:
                    vars(bare)[name] = plain
        extra = ""
        with suppress(Exception):  # attributes that are missing, or of types it never expected
            vars(bare)["_parameters"] = {k: _placeholder(v) for k, v in parameters.items()}
            extra = cls.extra_repr(bare)
        self.tree.spend(len(extra))
        return extra

    def _plain(self, value: object, nesting: int = 0) -> Any:
        """Return a number, a short text or a tuple of such as Python has them; else ABSENT."""
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, str):
            return value if len(value) <= MAX_TEXT and value.isprintable() else ABSENT
        if isinstance(value, Dict):  # a ParameterDict has its keys in one
            keys = self._plain(list(value.strings()), nesting)
            return ABSENT if keys is ABSENT else dict.fromkeys(keys)
        if not isinstance(value, (tuple, list)) or nesting == MAX_NESTING:
            return ABSENT
        self.tree.visit(nesting, len(value))
        parts = [self._plain(part, nesting + 1) for part in value]
        if any(part is ABSENT for part in parts):
            return ABSENT
        return tuple(parts) if isinstance(value, tuple) else parts


def _find_class(module: object) -> type[nn.Module] | None:
    """Return the class of `torch.nn` that a pickled module is of; None for any other."""
    named = class_of(module) if isinstance(module, Object) else None
    if not isinstance(named, Global) or not named.module.startswith(TORCH_NN):
        return None
    home = sys.modules.get(named.module)
    found = vars(home).get(named.name) if home else None
    if not isinstance(found, type) or not issubclass(found, nn.Module):
        return None
    own = found.__module__ == named.module and found.__qualname__ == named.name
    return found if own else None


def _dictionary(state: dict[str, object], part: str) -> dict[str, object]:
    value = state.get(part)
    return value.strings() if isinstance(value, Dict) else {}


def _numel(entry: Entry) -> int:
    return 0 if entry.layout == UNINITIALIZED else entry.numel


def _placeholder(entry: object) -> object:
    """Return a parameter of an entry's shape with one value in memory; what is no entry, as is."""
    if not isinstance(entry, Entry):
        return entry
    dtype = getattr(torch, entry.dtype.name, torch.float32)
    return nn.Parameter(torch.zeros((), dtype=dtype).expand(entry.shape), requires_grad=False)
