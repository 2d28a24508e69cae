"""Every way from bytes to a checkpoint, chosen by what the bytes are, never by a file's name."""

import os

from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.errors import UsageError, blaming
from paramctl.formats.sniffing import find_reader
from paramctl.sources import Source, open_path

DEFAULT = ReadOptions()
NESTED = ("torch zip", "torch legacy")  # formats whose files hold parts by keys


def open_checkpoint(path: str | os.PathLike[str], options: ReadOptions = DEFAULT) -> Checkpoint:
    """Open a model: a file in any known format, or a folder that holds one.

    Raises:
        ParamctlError: it cannot be opened or is malformed; the class says which.
    """
    path = os.fspath(path)
    if os.path.isdir(path):
        from paramctl.formats.folders import find_model_file  # noqa: PLC0415 (rarely needed)

        path = find_model_file(path)
    return read_checkpoint(open_path(path), options)


def read_checkpoint(source: Source, options: ReadOptions = DEFAULT) -> Checkpoint:
    """Read what `source` holds into a checkpoint, and let go of the file."""
    with blaming(source.name):
        checkpoint = find_reader(source)(source, options)
        source.check_unchanged()
        if options.key and checkpoint.format not in NESTED:
            raise UsageError(f"{checkpoint.format} holds no keys, so no '{options.key}'")
    source.release()
    return checkpoint
