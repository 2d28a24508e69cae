"""Hugging Face configs: `config.json` names an architecture of transformers and its sizes."""

from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.errors import LimitError, MalformedError
from paramctl.formats.strict_json import load_json
from paramctl.sources import Source

MAX_BYTES = 1 << 22  # of a config: one that names 21,000 classes has 2 MB


def read(source: Source, options: ReadOptions) -> Checkpoint:  # noqa: ARG001 (a reader's signature)
    """Read a config, and build its architecture where no memory is needed for it.

    Raises:
        MalformedError: it is no JSON object.
        UnsafeError: its architecture is code of its own.
        UsageError: transformers is not installed, or cannot build it.
        LimitError: it is too long, or its model too large.
    """
    if source.size > MAX_BYTES:
        raise LimitError(f"a config of more than {MAX_BYTES:,} bytes")
    config = load_json(source.read(0, source.size), "config")
    if not isinstance(config, dict):
        raise MalformedError("config is no JSON object")
    from paramctl.models.huggingface import checkpoint_of_config  # noqa: PLC0415 (loads torch)

    return checkpoint_of_config(config, source.name)
