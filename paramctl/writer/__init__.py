"""The writer: a checkpoint into a file, a folder of files or a stream."""

import os

from paramctl.checkpoint import Checkpoint
from paramctl.writer.crew import Crew
from paramctl.writer.files import refuse_url, save_file
from paramctl.writer.formats import plan
from paramctl.writer.options import DCP, Report, WriteOptions
from paramctl.writer.progress import Progress, no_progress
from paramctl.writer.target import Stream, Write

__all__ = ["Progress", "Report", "WriteOptions", "check", "save", "stream"]

DEFAULT = WriteOptions()


def save(
    checkpoint: Checkpoint,
    path: str | os.PathLike[str],
    options: WriteOptions = DEFAULT,
    progress: Progress = no_progress,
) -> Report:
    """Write a model into a file, or a folder where the options ask for one.

    The file takes its place when all of it is on the disk; `path` may lead to the file that the
    model is read from.

    Raises:
        ParamctlError: it cannot be written; the class says why, and the old file is as it was.
    """
    path, is_folder = os.fspath(path), options.format == DCP
    if options.max_shard_size is None and not is_folder:
        return save_file(checkpoint, path, options, progress)
    refuse_url(path)
    from paramctl.writer.dcp import plan_folder  # noqa: PLC0415 (rarely needed)
    from paramctl.writer.folders import save_folder  # noqa: PLC0415 (the same)
    from paramctl.writer.sharded import plan_shards  # noqa: PLC0415 (the same)

    if is_folder:
        files = plan_folder(checkpoint, options, path)
    else:
        files = plan_shards(checkpoint, options)
    return save_folder(files, path, progress, force=options.force)


def check(checkpoint: Checkpoint, options: WriteOptions = DEFAULT) -> tuple[str, ...]:
    """Make sure that a model can be written, and return what is good to know of it.

    Raises:
        ParamctlError: it cannot; the class says why.
    """
    if options.max_shard_size is None:
        return plan(checkpoint, options).notes
    from paramctl.writer.sharded import plan_shards  # noqa: PLC0415 (rarely needed)

    return plan_shards(checkpoint, options).notes


def stream(
    checkpoint: Checkpoint,
    write: Write,
    options: WriteOptions = DEFAULT,
    progress: Progress = no_progress,
) -> Report:
    """Hand the bytes of the file that `save` would write to `write`, in order.

    Raises:
        ParamctlError: the model cannot be written; the class says why.
    """
    layout, notes = plan(checkpoint, options)
    Crew(progress, layout.nbytes).write(layout, Stream(write))
    return Report((), layout.nbytes, notes)
