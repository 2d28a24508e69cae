"""What a caller tells the writer, and what the writer tells a caller."""

from typing import Literal, NamedTuple

SAFETENSORS = "safetensors"
DCP = "dcp"


class WriteOptions(NamedTuple):
    """How to write a model.

    `ties` says what becomes of the further names of a tied tensor: `alias` notes them as the format
    does, `copy` writes the tensor again for each. With `max_shard_size`, in bytes, the model is
    written into a folder, in files of at most that size. `force` replaces what is there. `format`
    is one of `FORMATS`.
    """

    ties: Literal["alias", "copy"] = "alias"
    max_shard_size: int | None = None
    force: bool = False
    format: str = SAFETENSORS


class Report(NamedTuple):
    """What has been written: the files, the bytes in all of them, and what is good to know."""

    files: tuple[str, ...]
    nbytes: int
    notes: tuple[str, ...]
