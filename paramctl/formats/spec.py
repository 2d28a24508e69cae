"""Specs: models described in YAML or JSON."""

from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.errors import LimitError
from paramctl.models.reading import MAX_BYTES, read_spec
from paramctl.sources import Source


def read(source: Source, options: ReadOptions) -> Checkpoint:  # noqa: ARG001 (a reader's signature)
    """Read a spec, and build its model where no memory is needed for it.

    Raises:
        UsageError: something in it is wrong; says at which line and column.
        LimitError: it is too long, or its model too large.
    """
    if source.size > MAX_BYTES:
        raise LimitError(f"a spec of more than {MAX_BYTES:,} bytes")
    spec = read_spec(source.read(0, source.size))
    from paramctl.models.building import checkpoint_of_spec  # noqa: PLC0415 (loads torch)

    return checkpoint_of_spec(spec, source.name)
