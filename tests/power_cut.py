"""A disk that forgets what has not been synced: what a folder may hold after a power cut.

The model is that of a journal: data is there when its file has been synced, a name when its folder
has; until then both what was and what is may be found.
"""

import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest

LOST = b"\0lost"


class Moment(NamedTuple):
    """What each name may lead to, None to nothing, if the power were cut now."""

    names: dict[str, frozenset[bytes | None]]

    def contents(self, name: str) -> frozenset[bytes | None]:
        """Return all that may be in the file of this name."""
        return self.names.get(name, frozenset({None}))

    def holds(self, name: str, data: bytes) -> bool:
        """Whether there is such a file, with these contents, for certain."""
        return self.contents(name) == {data}


class PowerCut:
    """Watches a folder; `moments` are what may be there before and after each sync and rename."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.moments: list[Moment] = []
        self._folder = folder
        self._synced: dict[int, bytes] = {}
        self._names: dict[str, set[int | None]] = {}
        for path in folder.iterdir() if folder.exists() else ():
            inode = path.stat().st_ino
            self._synced[inode] = path.read_bytes()
            self._names[path.name] = {inode}
        self._note()
        for name in ("fsync", "rename", "unlink"):
            patch.setattr(os, name, self._wrap(getattr(os, name), getattr(self, f"_{name}")))

    def _wrap(self, real: Any, note: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> None:
            inode = self._inode(arguments[0])
            real(*arguments, **options)
            note(inode, *arguments)
            self._note()

        return call

    def _inode(self, target: int | str) -> int | None:
        if isinstance(target, int):
            return os.fstat(target).st_ino
        path = self._folder / target
        return path.stat().st_ino if path.exists() else None

    def _fsync(self, inode: int, descriptor: int) -> None:
        if inode == self._folder.stat().st_ino:
            for name, inodes in self._names.items():
                inodes &= {self._inode(name)}
        elif not os.path.isdir(descriptor):
            self._synced[inode] = Path(f"/proc/self/fd/{descriptor}").read_bytes()

    def _rename(self, inode: int, old: str, new: str) -> None:
        self._names.setdefault(old, {None}).add(None)
        self._names.setdefault(new, {None}).add(inode)

    def _unlink(self, inode: int, name: str) -> None:
        del inode
        self._names.setdefault(name, {None}).add(None)

    def _note(self) -> None:
        found = {
            name: frozenset(None if i is None else self._synced.get(i, LOST) for i in inodes)
            for name, inodes in self._names.items()
        }
        self.moments.append(Moment(found))
