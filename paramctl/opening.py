"""The door of a Python program: what opens a model."""

import os
from dataclasses import fields

from paramctl.checkpoint import ReadOptions
from paramctl.formats import open_checkpoint
from paramctl.model import Model
from paramctl.signatures import checked

DEFAULT = ReadOptions()


@checked
def open(  # noqa: A001 (paramctl.open is the door)
    path: str | os.PathLike[str],
    *,
    key: str = DEFAULT.key,
    everything: bool = DEFAULT.everything,
    max_header_bytes: int = DEFAULT.max_header_bytes,
    follow: bool = DEFAULT.follow,
) -> Model:
    """Open a model: a file in any known format, a folder that holds one, a URL, or a factory.

    Of a training checkpoint `key` lists that part, `everything` all of them. A header of more than
    `max_header_bytes` is not read, nor, unless `follow`, a shard that is a symbolic link.

    Raises:
        ParamctlError: it cannot be opened or is malformed; the class says which.
    """
    checkpoint = open_checkpoint(path, ReadOptions(key, everything, max_header_bytes, follow))
    return Model(*(getattr(checkpoint, field.name) for field in fields(checkpoint)))
