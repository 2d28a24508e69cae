"""What a torch pickle holds, whatever container it came in, as a checkpoint."""

from collections.abc import Callable
from functools import partial
from typing import Any

from paramctl.checkpoint import Checkpoint, Entry, ReadOptions
from paramctl.doors import Spelling
from paramctl.errors import AddressError, MalformedError, ParamctlError
from paramctl.formats.pickles import Dict, Pickle, read_pickle
from paramctl.formats.torch.model import Found, find_all, find_model, find_part
from paramctl.formats.torch.tensors import BUILDERS, is_tensor_global
from paramctl.formats.torch.tree import Layer, Tree, is_module
from paramctl.outline import Outline
from paramctl.sources import Source
from paramctl.ties import resolve_shared

FREE_VISITS = 50_000  # of a tree's values
VISITS_PER_BYTE = 3  # of its pickle: a value takes a byte and is looked at once or twice

Finder = Callable[[Tree], Found]


def read_whole_pickle(data: bytes, storage: Callable[[object], object]) -> Pickle:
    """Read the one pickle that must fill `data`; `storage` resolves torch's persistent ids.

    Raises:
        MalformedError: the pickle is broken, or something stands behind its end.
    """
    pickle = read_pickle(data, builders=BUILDERS, persistent=storage)
    if pickle.end != len(data):
        raise MalformedError(
            f"{len(data) - pickle.end} bytes after the end of the pickle",
            where=f"offset {pickle.end}",
        )
    return pickle


def make_tree(pickle: Pickle) -> Tree:
    """Return the values of a pickle, to be looked at as often as its size allows."""
    return grow_tree(pickle.value, pickle.end)


def grow_tree(root: object, nbytes: int) -> Tree:
    """Return the values that `nbytes` describe, to be looked at as often as that allows."""
    return Tree(root, FREE_VISITS + VISITS_PER_BYTE * nbytes)


def list_model(source: Source, name: str, pickle: Pickle, options: ReadOptions) -> Checkpoint:
    """List the model that the pickle of a file holds, or what the options ask for.

    `name` is that of the format.

    Raises:
        MalformedError: there are no tensors, or two of one name.
        AddressError: the options' key is not there, or there are no tensors.
    """
    checkpoint = Checkpoint(source.name, name, {}, foreign=foreign_globals(pickle))
    found = list_tree(checkpoint, make_tree(pickle), options)
    if found.path == "module":
        from paramctl.formats.torch.deepspeed import add_partitioned  # noqa: PLC0415 (rarely needed)

        add_partitioned(checkpoint, pickle.value, source, options)
    if is_module(found.part):
        checkpoint.outline = partial(_outline, pickle, found.part)
    return checkpoint


def list_tree(
    checkpoint: Checkpoint, tree: Tree, options: ReadOptions, find: Finder = find_model
) -> Found:
    """Fill the checkpoint with what `find` takes for the model, or what the options ask for.

    Raises:
        MalformedError: there are no tensors, or two of one name.
        AddressError: the options' key is not there, or there are no tensors.
    """
    found = _find(tree, options, find)
    add_found(checkpoint, tree, found.part)
    checkpoint.holds = ", ".join(filter(None, (found.path, _kind(checkpoint, found))))
    may_be_empty = is_module(found.part) or (isinstance(found.part, Dict) and not options.key)
    if not checkpoint.entries and not may_be_empty:
        raise _no_tensors(checkpoint.file, options.key)
    checkpoint.others = {key: tree.describe(value) for key, value in found.beside.items()}
    checkpoint.metadata = _tell_all(tree) if options.nested else _tell_plain(tree, found)
    resolve_shared(checkpoint)
    return found


def _outline(pickle: Pickle, module: object) -> Outline:
    from paramctl.formats.torch.outline import outline_pickle  # noqa: PLC0415 (loads torch)

    return outline_pickle(make_tree(pickle), module)


def _find(tree: Tree, options: ReadOptions, find: Finder) -> Found:
    if options.key:
        return find_part(tree, options.key)
    return find_all(tree) if options.everything else find(tree)


def _tell_plain(tree: Tree, found: Found) -> dict[str, Any]:
    """Tell what is not listed and holds no tensors."""
    plain = (item for item in found.beside.items() if not tree.holds_tensors(item[1]))
    return {key: tree.to_json(value) for key, value in plain}


def _tell_all(tree: Tree) -> dict[str, Any]:
    told = tree.to_json(tree.root)
    if isinstance(told, list):
        return {str(place): value for place, value in enumerate(told)}
    return told if isinstance(told, dict) else {}


def _no_tensors(file: str, key: str) -> ParamctlError:
    if not key:
        return MalformedError("a pickle without tensors")
    import shlex  # noqa: PLC0415 (only for the error)

    shell = shlex.join(["paramctl", "meta", file, key])
    python = f"paramctl.open({file!r}).metadata[{key!r}]"
    way = shell if "." in key else Spelling(shell, python)  # metadata has no places within parts
    hint = ("see it with: ", way)
    return AddressError(f"'{key}' is no part with tensors", hint=hint)


def _kind(checkpoint: Checkpoint, found: Found) -> str:
    """Say what the listed part is, where its key does not."""
    if is_module(found.part):
        return "a whole module"
    if not checkpoint.entries:
        return "no tensors"
    if isinstance(found.part, Entry):
        return "a tensor"
    return "" if found.path else "a state dict" if isinstance(found.part, Dict) else "a list"


def foreign_globals(pickle: Pickle) -> tuple[str, ...]:
    """Name the classes and functions in the pickle that are not those of tensors."""
    foreign = (str(found) for found in pickle.globals if not is_tensor_global(found))
    return tuple(dict.fromkeys(foreign))


def add_found(checkpoint: Checkpoint, tree: Tree, part: object) -> None:
    """Name the tensors and modules below `part` in the checkpoint.

    Raises:
        MalformedError: two tensors flatten to one name.
    """
    for found in tree.walk(part):
        if isinstance(found, Layer):
            checkpoint.types[found.name] = found.type
        elif found.name in checkpoint.entries:
            raise MalformedError(f"two tensors have the name '{found.name}'")
        else:
            checkpoint.entries[found.name] = found
