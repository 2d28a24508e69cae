"""What a torch pickle holds, whatever container it came in, as a checkpoint."""

from collections.abc import Callable

from paramctl.checkpoint import Checkpoint, Entry, ReadOptions
from paramctl.errors import MalformedError
from paramctl.formats.pickles import Dict, Pickle, read_pickle
from paramctl.formats.torch.tensors import BUILDERS, is_tensor_global
from paramctl.formats.torch.tree import Layer, Tree, is_module
from paramctl.ties import resolve_shared

FREE_VISITS = 50_000  # of a tree's values; one more for each byte of its pickle


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


def list_model(checkpoint: Checkpoint, pickle: Pickle, options: ReadOptions) -> Checkpoint:
    """Fill the checkpoint with the model that the pickle holds, or what the options ask for.

    Raises:
        MalformedError: there are no tensors, or two of one name.
        AddressError: the options' key is not there.
    """
    tree = Tree(pickle.value, FREE_VISITS + pickle.end)
    checkpoint.foreign = foreign_globals(pickle)
    path, part = ("", tree.root) if options.everything else tree.find_model()
    if options.key:
        path, part = options.key, tree.find_part(options.key)
    add_found(checkpoint, tree, part)
    checkpoint.holds = ", ".join(filter(None, (path, _kind(checkpoint, part, path))))
    if not checkpoint.entries and not isinstance(part, Dict) and not is_module(part):
        raise MalformedError("a pickle without tensors")
    _add_others(checkpoint, tree, path)
    resolve_shared(checkpoint)
    return checkpoint


def _kind(checkpoint: Checkpoint, part: object, path: str) -> str:
    """Say what the listed part is, where its key does not."""
    if is_module(part):
        return "a whole module"
    if not checkpoint.entries:
        return "no tensors"
    if isinstance(part, Entry):
        return "a tensor"
    return "" if path else "a state dict" if isinstance(part, Dict) else "a list"


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


def _add_others(checkpoint: Checkpoint, tree: Tree, path: str) -> None:
    """Describe the parts of a training checkpoint that are not listed."""
    if not isinstance(tree.root, Dict):
        return
    for key, value in tree.root.strings().items():
        if isinstance(value, Entry) and not path:
            continue
        tensors = tree.holds_tensors(value)
        if not tensors:
            checkpoint.metadata[key] = tree.to_json(value)
        if (path and path.partition(".")[0] != key) or not (path or tensors):
            checkpoint.others[key] = tree.describe(value)
