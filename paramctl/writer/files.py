"""A model in one file, or other bytes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from paramctl.checkpoint import Checkpoint
from paramctl.doors import flag
from paramctl.errors import FileError, UsageError
from paramctl.sources import URL_SCHEMES
from paramctl.writer.crew import Crew
from paramctl.writer.draft import Draft
from paramctl.writer.drafts import Drafts
from paramctl.writer.folder import Folder
from paramctl.writer.formats import plan
from paramctl.writer.interrupts import Interrupts
from paramctl.writer.options import Report, WriteOptions
from paramctl.writer.progress import Progress


def refuse_url(path: str) -> None:
    """Refuse to write to a server, or to a folder that is called like one.

    Raises:
        UsageError: it would be.
    """
    if path.startswith(URL_SCHEMES):
        raise UsageError("nothing is written to a URL", hint="write a file, upload it", file=path)


def check_place(path: str, *, force: bool) -> None:
    """Make sure that there is a folder for a file, and no file in its way.

    It is better known now than when all is computed.

    Raises:
        UsageError: a file is in the way, or it would be written to a server.
        FileError: there is no such folder.
    """
    refuse_url(path)
    if os.path.isfile(path) and not force:
        hint = (flag("force"), " replaces it")
        raise UsageError("the file is there already", hint=hint, file=path)
    if not os.path.isdir(os.path.dirname(path) or os.curdir):
        raise FileError("there is no such folder", hint="'mkdir -p' makes one", file=path)


def save_file(
    checkpoint: Checkpoint, path: str, options: WriteOptions, progress: Progress
) -> Report:
    """Write a model into a file that takes its place when it is complete; links are followed."""
    layout, notes = plan(checkpoint, options)
    with _draft(path, layout.nbytes, force=options.force) as draft:
        Crew(progress, layout.nbytes).write(layout, draft)
    return Report((path,), layout.nbytes, notes + tuple(draft.notes))


def save_bytes(data: bytes, path: str, *, force: bool) -> tuple[str, ...]:
    """Write bytes into a file that takes its place when it is complete; return what to note of it.

    Raises:
        UsageError: there is such a file, and it may not be replaced.
        FileError: the operating system says no.
    """
    with _draft(path, len(data), force=force) as draft:
        draft.write(data)
    return tuple(draft.notes)


@contextmanager
def _draft(path: str, nbytes: int, *, force: bool) -> Iterator[Draft]:
    """Start the draft of a file, and put it in its place behind the context."""
    head, name = os.path.split(_resolve(path))
    with (
        Folder(head) as folder,
        Interrupts() as interrupts,
        Drafts(folder, interrupts, force=force) as drafts,
    ):
        draft = drafts.start(name, nbytes)
        yield draft
        draft.finish()
        drafts.place()


def _resolve(path: str) -> str:
    """Return the path as it is, or where it leads if it is a link.

    Raises:
        FileError: it can be the name of no file.
    """
    refuse_url(path)
    if not path or path.endswith(os.sep):
        raise FileError("not the name of a file", hint="name a file", file=path)
    try:
        real = os.path.realpath(path)
    except (OSError, ValueError) as error:
        raise FileError("no file can have this name", file=path) from error
    return real if os.path.islink(path) else path
