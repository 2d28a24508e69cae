"""What verbs that change which parameters there are have to say about it."""

from paramctl.checkpoint import Checkpoint
from paramctl.cli.environment import Environment
from paramctl.models.spec import KEY as SPEC


def note_spec(environment: Environment, old: Checkpoint, new: Checkpoint) -> None:
    """Say that the spec that came with a model describes it no more."""
    if SPEC in old.metadata and SPEC not in new.metadata:
        environment.note("the spec that came with it is left out: it describes other parameters")
