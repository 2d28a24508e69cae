"""HDF5 files: every dataset of numbers, by its path; of Keras's, what it says of layers.

Source: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t4.html; keras/src/saving of
Keras 3, `saving_lib.py` and `legacy/legacy_h5_format.py`.
"""

from paramctl.checkpoint import MISSING, Checkpoint, ReadOptions
from paramctl.formats.hdf5.library import File
from paramctl.formats.hdf5.walk import Walk
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
    config = config or read_config(walk.attributes.get(CONFIG))
    _order_layers(walk, config)
    found = list_tree(checkpoint, grow_tree(walk.root, source.size), options, _find)
    checkpoint.holds = found.path
    checkpoint.others |= walk.others
    checkpoint.metadata |= walk.others | walk.attributes
    checkpoint.foreign = config.foreign
    _tell_absent(checkpoint, walk, found.path)
    for path, layer in walk.layers.items():
        below = _below(path, found.path)
        if below is not None and layer in config.classes:
            checkpoint.types[below] = config.classes[layer]
    file.release()


def _find(tree: Tree) -> Found:
    """Find a Keras model in its file; else all but the state of an optimizer."""
    root = tree.root
    if isinstance(root, Dict) and tree.holds_tensors(root.strings().get(WEIGHTS)):
        return find_part(tree, WEIGHTS)
    return find_weights(tree)


def _order_layers(walk: Walk, config: Config) -> None:
    """Put the layers of a whole-model file in the order of the model; there they are sorted."""
    weights = walk.root.strings().get(WEIGHTS)
    if not isinstance(weights, Dict):
        return
    places = {layer: place for place, layer in enumerate(config.classes)}
    weights.pairs.sort(key=lambda pair: places.get(str(pair[0]), len(places)))
    walk.layers |= {f"{WEIGHTS}.{layer}": str(layer) for layer, _ in weights.pairs}


def _tell_absent(checkpoint: Checkpoint, walk: Walk, part: str) -> None:
    """Say of each dataset that is listed without values why."""
    why = {_below(path, part): absent for path, absent in walk.absent.items()}
    checkpoint.missing = {
        name: why.get(name, "its values are not in the file")
        for name, entry in checkpoint.entries.items()
        if entry.layout == MISSING
    }
    told = [f"'{name}': {absent}" for name, absent in checkpoint.missing.items()]
    checkpoint.complaints = shorten(told)


def _below(path: str, part: str) -> str | None:
    """Return a path as it is counted from the part that is listed; None if it is not in it."""
    if not part or path == part:
        return "" if part else path
    return path.removeprefix(f"{part}.") if path.startswith(f"{part}.") else None
