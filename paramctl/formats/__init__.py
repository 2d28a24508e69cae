"""Every way from bytes to a checkpoint, chosen by what the bytes are, never by a file's name."""

import os
import re
from functools import partial
from typing import Any

from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.descriptors import FILES
from paramctl.doors import option
from paramctl.errors import MalformedError, UsageError, blaming
from paramctl.formats.registry import find_reader
from paramctl.inputs import open_path
from paramctl.layer_types import resolve_types
from paramctl.models.spec import KEY
from paramctl.sources import URL_SCHEMES, FileSource, Source

DEFAULT = ReadOptions()
FACTORY = re.compile(r"(?:.+\.py|[A-Za-z_][\w.]*):[A-Za-z_]\w*(?:\(.*\))?", re.DOTALL)
NESTED = (
    *("torch zip", "torch legacy", "torch dcp"),
    *("flax msgpack", "hdf5", "sharded hdf5", "keras"),
)
"""The formats whose files hold parts by keys."""


def open_checkpoint(path: str | os.PathLike[str], options: ReadOptions = DEFAULT) -> Checkpoint:
    """Open a model: a file in any known format, a folder that holds one, a URL, or a factory.

    A factory is the user's own code, `file.py:name` or `package.module:name(width=64)`.

    Raises:
        ParamctlError: it cannot be opened or is malformed; the class says which.
    """
    path = os.fspath(path)
    if path.startswith(URL_SCHEMES):
        return read_checkpoint(_open_url(path), options)
    if "://" in path and not os.path.lexists(path):
        hint = f"models are read at {', '.join(URL_SCHEMES)}"
        raise UsageError("a URL of another kind", hint=hint, file=path)
    if names_factory(path) and not os.path.lexists(path):
        from paramctl.models.factories import open_factory  # noqa: PLC0415 (loads torch)

        return open_factory(path)
    if os.path.isdir(path):
        from paramctl.formats.folders import find_model_file  # noqa: PLC0415 (rarely needed)

        return read_checkpoint(FileSource(find_model_file(path)), options)
    return read_checkpoint(open_path(path), options)


def _open_url(url: str) -> Source:
    from paramctl.formats.folders import (  # noqa: PLC0415 (rarely needed)
        choose_model_file,
        open_latest,
    )
    from paramctl.remote.opening import open_url  # noqa: PLC0415 (the same)

    return open_latest(open_url(url, choose_model_file))


def read_checkpoint(source: Source, options: ReadOptions = DEFAULT) -> Checkpoint:
    """Read what `source` holds into a checkpoint, and let go of the file."""
    with blaming(source.name):
        checkpoint = find_reader(source)(source, options)
        source.check_unchanged()
        resolve_types(checkpoint)
        _find_spec(checkpoint)
        if options.key and checkpoint.format not in NESTED:
            what = f"{checkpoint.format} holds no keys, so no '{options.key}'"
            raise UsageError(what, hint=("leave ", option("key"), " out"))
    source.release()
    FILES.close()
    return checkpoint


def names_factory(text: str) -> bool:
    """Whether a text names Python code: `file.py:name`, `package.module:name(width=64)`."""
    return bool(FACTORY.fullmatch(text))


def _find_spec(checkpoint: Checkpoint) -> None:
    """Let a checkpoint that carries its spec be built from it."""
    if checkpoint.build is None and KEY in checkpoint.metadata:
        checkpoint.build = partial(_build_carried, checkpoint)


def _build_carried(checkpoint: Checkpoint, device: str) -> Any:
    from paramctl.models.building import build_spec  # noqa: PLC0415 (loads torch)
    from paramctl.models.reading import carried_spec  # noqa: PLC0415 (loads yaml)

    spec = carried_spec(checkpoint)
    if spec is None:
        raise MalformedError(f"its metadata '{KEY}' is no text", file=checkpoint.file)
    return build_spec(spec, device)
