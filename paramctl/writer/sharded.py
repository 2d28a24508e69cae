"""A model in several files of a folder, as Hugging Face lays it out."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from paramctl.checkpoint import Checkpoint
from paramctl.errors import FileError, UsageError
from paramctl.writer import metadata
from paramctl.writer.atomic import Drafts
from paramctl.writer.contents import choose
from paramctl.writer.crew import Crew
from paramctl.writer.folder import Folder, naming
from paramctl.writer.interrupts import Interrupts
from paramctl.writer.layout import Layout
from paramctl.writer.options import Report, WriteOptions
from paramctl.writer.progress import Progress
from paramctl.writer.safetensors import lay_out
from paramctl.writer.shards import INDEX, PATTERN, SINGLE, divide, index_of, name_shards


class Files(NamedTuple):
    """The files of a folder by name: those that hold tensors, and the index if there is one."""

    layouts: dict[str, Layout]
    index_file: bytes
    notes: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """The bytes of all files with tensors."""
        return sum(layout.nbytes for layout in self.layouts.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all files, in the order in which they are written."""
        return (*self.layouts, INDEX) if self.index_file else tuple(self.layouts)


def save_folder(
    checkpoint: Checkpoint, path: str, options: WriteOptions, progress: Progress
) -> Report:
    """Write a model into a folder: files under new names, and then the index that names them.

    A reader finds the old model or the new one, whole. Files of the old one that are not of the
    new one are removed in the end.
    """
    plan = _plan(checkpoint, options)
    notes = list(plan.notes)
    with Interrupts() as interrupts, _made(path, interrupts) as folder:
        leftover = _check_old(folder, plan, force=options.force)
        with Drafts(folder, interrupts, force=options.force) as drafts:
            crew = Crew(progress, plan.nbytes)
            for name, layout in plan.layouts.items():
                draft = drafts.start(name, layout.nbytes)
                crew.write(layout, draft.write, draft.copy)
                draft.finish()
                notes += draft.notes
            if plan.index_file:
                draft = drafts.start(INDEX, len(plan.index_file))
                draft.write(plan.index_file)
                draft.finish()
            with interrupts.held():
                drafts.place()
                notes += [_note_left(name) for name in leftover if not folder.remove(name)]
    files = tuple(os.path.join(path, name) for name in plan.names)
    return Report(files, plan.nbytes, tuple(notes))


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


def _check_old(folder: Folder, plan: Files, *, force: bool) -> list[str]:
    """Return the files of a model in the folder that the new one has not.

    Raises:
        UsageError: there is a model, and it may not be replaced.
        FileError: the files of both have the same names: they could not be replaced at once.
    """
    with naming(folder.path):
        old = [name for name in sorted(os.listdir(folder.descriptor)) if PATTERN.fullmatch(name)]
    if old and not force:
        raise UsageError("the folder holds a model already", hint="--force", file=folder.path)
    clash = [name for name in old if name in plan.layouts and name != SINGLE]
    if clash:
        raise FileError(
            f"'{clash[0]}' is there already, and several files cannot be replaced at once",
            hint="write to a new folder",
            file=folder.path,
        )
    return [name for name in old if name not in plan.names]


def _note_left(name: str) -> str:
    return f"'{name}' of the model before could not be removed"


def _plan(checkpoint: Checkpoint, options: WriteOptions) -> Files:
    contents = choose(checkpoint, options)
    notes = contents.notes + metadata.note_namesakes(checkpoint)
    shards = divide(contents.entries, options.max_shard_size or 0)
    named = dict(zip(name_shards(len(shards)), shards, strict=True))
    if len(named) == 1:
        whole = lay_out(shards[0], metadata.of_file(checkpoint, contents.aliases))
        return Files({SINGLE: whole}, b"", notes)
    total = sum(entry.nbytes for entry in contents.entries)
    index = index_of(named, metadata.of_index(checkpoint, contents.aliases, total))
    layouts = {name: lay_out(shard, metadata.of_shard(checkpoint)) for name, shard in named.items()}
    return Files(layouts, index, notes)
