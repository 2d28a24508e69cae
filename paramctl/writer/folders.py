"""A model in several files of a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from paramctl.doors import flag
from paramctl.errors import FileError, UsageError
from paramctl.writer.crew import Crew
from paramctl.writer.drafts import Drafts
from paramctl.writer.folder import Folder, naming
from paramctl.writer.interrupts import Interrupts
from paramctl.writer.layout import Files
from paramctl.writer.options import Report
from paramctl.writer.progress import Progress


def save_folder(files: Files, path: str, progress: Progress, *, force: bool) -> Report:
    """Write a model into a folder: files under new names, and then the index that names them.

    A reader finds the old model or the new one, whole. Files of the old one that are not of the
    new one are removed in the end.
    """
    notes = list(files.notes)
    with Interrupts() as interrupts, _made(path, interrupts) as folder:
        leftover = _check_old(folder, files, force=force)
        with Drafts(folder, interrupts, force=force) as drafts:
            crew = Crew(progress, files.nbytes)
            for name, layout in files.layouts.items():
                draft = drafts.start(name, layout.nbytes)
                crew.write(layout, draft)
                draft.finish()
                notes += draft.notes
            for name, data in files.listing.items():
                draft = drafts.start(name, len(data))
                draft.write(data)
                draft.finish()
            with interrupts.held():
                drafts.place()
                kept = [name for name in leftover if not folder.remove(name)]
                notes += [f"'{name}' of the model before could not be removed" for name in kept]
    paths = tuple(os.path.join(path, name) for name in files.names)
    nbytes = files.nbytes + sum(map(len, files.listing.values()))
    return Report(paths, nbytes, tuple(notes))


@contextmanager
def _made(path: str, interrupts: Interrupts) -> Iterator[Folder]:
    """Open a folder, made if need be; remove it again if nothing comes of it."""
    is_new = False
    try:
        with interrupts.held(), naming(path), suppress(FileExistsError):
            os.mkdir(path)
            is_new = True
            with Folder(os.path.dirname(os.path.abspath(path))) as parent:
                parent.sync()
        with Folder(path) as folder:
            yield folder
    except BaseException:
        if is_new:
            with suppress(OSError):
                os.rmdir(path)
        raise


def _check_old(folder: Folder, files: Files, *, force: bool) -> list[str]:
    """Return the files of a model in the folder that the new one has not.

    Raises:
        UsageError: there is a model, and it may not be replaced.
        FileError: the files of both have the same names: they could not be replaced at once.
    """
    with naming(folder.path):
        old = [
            name for name in sorted(os.listdir(folder.descriptor)) if files.pattern.fullmatch(name)
        ]
    if old and not force:
        what, hint = "the folder holds a model already", (flag("force"), " replaces it")
        raise UsageError(what, hint=hint, file=folder.path)
    clash = [name for name in old if name in files.layouts]
    if clash and len(files.names) > 1:
        raise FileError(
            f"'{clash[0]}' is there already, and several files cannot be replaced at once",
            hint="write to a new folder",
            file=folder.path,
        )
    return [name for name in old if name not in files.names]
