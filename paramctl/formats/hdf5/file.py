"""HDF5 files: every dataset of numbers, by its path; of Keras's, what it says of layers.

Source: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t4.html; keras/src/saving of
Keras 3, `saving_lib.py` and `legacy/legacy_h5_format.py`.
"""

from collections.abc import Mapping

from paramctl.checkpoint import MISSING, Checkpoint, ReadOptions
from paramctl.formats.hdf5.library import File
from paramctl.formats.hdf5.walk import Contents, Walk
from paramctl.formats.keras_config import Config, read_config
from paramctl.formats.missing import shorten
from paramctl.formats.pickles import Dict
from paramctl.formats.torch.file import grow_tree, list_tree
from paramctl.formats.torch.model import Found, find_part, find_weights
from paramctl.formats.torch.tree import Tree
from paramctl.sources import Source

WEIGHTS = "model_weights"  # the group in which Keras's whole-model files keep the model
CONFIG = "model_config"  # the attribute that says of what layers it is


def read(source: Source, options: ReadOptions) -> Checkpoint:
    """Read groups, attributes and where datasets lie; none of their values.

    Raises:
        MalformedError: the file is broken, or two datasets have one name.
        LimitError: groups are nested too deeply.
        UsageError: h5py is not installed.
    """
    checkpoint = Checkpoint(source.name, "hdf5", {})
    fill(checkpoint, source, options)
    return checkpoint


def fill(
    checkpoint: Checkpoint, source: Source, options: ReadOptions, config: Config | None = None
) -> None:
    """Fill a checkpoint with what a file holds; without a Keras config it may have its own."""
    file = File(source)
    walk = Walk(file)
    list_contents(checkpoint, walk, options, config or read_config(walk.attributes.get(CONFIG)))
    checkpoint.complaints = shorten(tell_missing(checkpoint.missing))
    file.release()


def list_contents(
    checkpoint: Checkpoint, contents: Contents, options: ReadOptions, config: Config
) -> None:
    """Fill a checkpoint with what one file, or several, hold."""
    _order_layers(contents, config)
    tree = grow_tree(contents.root, contents.nbytes)
    found = list_tree(checkpoint, tree, options, _find)
    checkpoint.holds = found.path
    checkpoint.others |= contents.others
    checkpoint.metadata |= contents.others | contents.attributes
    checkpoint.foreign = config.foreign
    checkpoint.missing = _find_missing(checkpoint, contents, found.path)
    for path, layer in contents.layers.items():
        below = _below(path, found.path)
        if below is not None and layer in config.classes:
            checkpoint.types[below] = config.classes[layer]


def tell_missing(missing: Mapping[str, str]) -> list[str]:
    """Say of each dataset that is listed without values why."""
    return [f"'{name}': {why}" for name, why in missing.items()]


def _find(tree: Tree) -> Found:
    """Find a Keras model in its file; else all but the state of an optimizer."""
    root = tree.root
    if isinstance(root, Dict) and tree.holds_tensors(root.strings().get(WEIGHTS)):
        return find_part(tree, WEIGHTS)
    return find_weights(tree)


def _order_layers(contents: Contents, config: Config) -> None:
    """Put the layers of a whole-model file in the order of the model; there they are sorted."""
    weights = contents.root.strings().get(WEIGHTS)
    if not isinstance(weights, Dict):
        return
    places = {layer: place for place, layer in enumerate(config.classes)}
    weights.pairs.sort(key=lambda pair: places.get(str(pair[0]), len(places)))
    contents.layers |= {f"{WEIGHTS}.{layer}": str(layer) for layer, _ in weights.pairs}


def _find_missing(checkpoint: Checkpoint, contents: Contents, part: str) -> dict[str, str]:
    """Return the datasets that are listed without values, and why."""
    why = {_below(path, part): absent for path, absent in contents.absent.items()}
    return {
        name: why.get(name, "its values are not in the file")
        for name, entry in checkpoint.entries.items()
        if entry.layout == MISSING
    }


def _below(path: str, part: str) -> str | None:
    """Return a path as it is counted from the part that is listed; None if it is not in it."""
    if not part or path == part:
        return "" if part else path
    return path.removeprefix(f"{part}.") if path.startswith(f"{part}.") else None
