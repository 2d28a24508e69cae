"""The writer: a checkpoint into a file, a folder of files or a stream."""

import os
from collections.abc import Callable

from paramctl.checkpoint import Checkpoint
from paramctl.errors import UsageError
from paramctl.writer.crew import Crew
from paramctl.writer.files import save_file
from paramctl.writer.formats import plan
from paramctl.writer.options import SAFETENSORS, Report, WriteOptions
from paramctl.writer.progress import Progress, no_progress

__all__ = ["Progress", "Report", "WriteOptions", "check", "save", "stream"]

DEFAULT = WriteOptions()


def save(
    checkpoint: Checkpoint,
    path: str | os.PathLike[str],
    options: WriteOptions = DEFAULT,
    progress: Progress = no_progress,
) -> Report:
    """Write a model into a file, or with `max_shard_size` into a folder of files.

    The file takes its place when all of it is on the disk; `path` may lead to the file that the
    model is read from.

    Raises:
        ParamctlError: it cannot be written; the class says why, and the old file is as it was.
    """
    if options.max_shard_size is None:
        return save_file(checkpoint, os.fspath(path), options, progress)
    if options.format != SAFETENSORS:
        raise UsageError(f"{options.format} is not written in several files", file=os.fspath(path))
    from paramctl.writer.sharded import save_folder  # noqa: PLC0415 (rarely needed)

    return save_folder(checkpoint, os.fspath(path), options, progress)


def check(checkpoint: Checkpoint, options: WriteOptions = DEFAULT) -> tuple[str, ...]:
    """Make sure that a model can be written, and return what is good to know of it.

    Raises:
        ParamctlError: it cannot; the class says why.
    """
    return plan(checkpoint, options).notes


def stream(
    checkpoint: Checkpoint,
    write: Callable[[bytes], object],
    options: WriteOptions = DEFAULT,
    progress: Progress = no_progress,
) -> Report:
    """Hand the bytes of the file that `save` would write to `write`, in order.

    Raises:
        ParamctlError: the model cannot be written; the class says why.
    """
    layout, notes = plan(checkpoint, options)
    Crew(progress, layout.nbytes).write(layout, write)
    return Report((), layout.nbytes, notes)
