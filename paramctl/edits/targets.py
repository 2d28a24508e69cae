"""What a checkpoint knows of each of its parameters, as a scheme is told."""

from paramctl.checkpoint import Checkpoint
from paramctl.edits.keras import name_variables
from paramctl.init.targets import Target


def targets_of(checkpoint: Checkpoint) -> dict[str, Target]:
    """Return every parameter with the class of its layer, and the shapes beside it."""
    siblings: dict[str, dict[str, tuple[int, ...]]] = {}
    targets = {}
    variables = name_variables(checkpoint)
    for name, entry in checkpoint.items():
        layer = name.rpartition(".")[0]
        beside = siblings.setdefault(layer, {})
        layer_type, variable = checkpoint.types.get(layer, ""), variables.get(name, "")
        target = Target(
            name, entry.shape, entry.dtype.name, layer_type, siblings=beside, variable=variable
        )
        beside[target.leaf] = entry.shape
        targets[name] = target
    return targets
