"""What a checkpoint knows of each of its parameters, as a scheme is told."""

from paramctl.checkpoint import Checkpoint
from paramctl.edits.keras import name_variables
from paramctl.init.targets import Target


def targets_of(checkpoint: Checkpoint) -> dict[str, Target]:
    """Return every parameter with the class of its layer, and the shapes beside it."""
    siblings: dict[str, dict[str, tuple[int, ...]]] = {}
    targets = {}
    variables = name_variables(checkpoint.entries)
    for name, entry in checkpoint.items():
        layer, _, leaf = name.rpartition(".")
        beside = siblings.setdefault(layer, {})
        variable = variables.get(name, "")
        beside[variable or leaf] = entry.shape
        layer_type = checkpoint.types.get(layer, "")
        targets[name] = Target(
            name, entry.shape, entry.dtype.name, layer_type, siblings=beside, variable=variable
        )
    return targets
