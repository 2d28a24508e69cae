"""Drafts of one folder, which take their places together or not at all."""

from types import TracebackType
from typing import Self

from paramctl.writer.draft import Draft
from paramctl.writer.folder import Folder, naming
from paramctl.writer.interrupts import Interrupts


class Drafts:
    """Drafts in one folder: all of them take their places, or none does and none is left."""

    def __init__(self, folder: Folder, interrupts: Interrupts, *, force: bool) -> None:
        self._folder = folder
        self._interrupts = interrupts
        self._force = force
        self._drafts: list[Draft] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        with self._interrupts.held():
            for draft in self._drafts:
                draft.discard()

    def start(self, name: str, nbytes: int) -> Draft:
        """Start the draft of a file of so many bytes.

        Raises:
            UsageError: there is such a file, and it may not be replaced.
            FileError: there is something else of this name, or the operating system says no.
        """
        draft = Draft(self._folder, name, self._interrupts, force=self._force)
        self._drafts.append(draft)
        draft.create(nbytes)
        return draft

    def place(self) -> None:
        """Put all in their places, the last one when the others are there for good.

        Raises:
            UnconfirmedError: they are in their places, but perhaps not yet on the disk.
            FileError: they are not.
        """
        with self._interrupts.held():
            *others, last = self._drafts
            for draft in others:
                draft.place()
            if others:
                with naming(self._folder.path):
                    self._folder.sync()
            last.place()
            self._drafts.clear()
            self._folder.confirm(last.name)
