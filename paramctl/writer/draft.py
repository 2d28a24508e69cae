"""A file that is written aside and takes its place when it is complete and on the disk.

Whatever happens on the way, the old file stays as it is and nothing lies beside it; only SIGKILL
and a power cut leave a draft, `.NAME.<12 hex digits>.paramctl-tmp`.
"""

import errno
import os
import stat
from contextlib import closing, suppress

from paramctl.descriptors import Descriptor
from paramctl.doors import flag
from paramctl.errors import FileError, UsageError
from paramctl.sources import FileSource, identity_of
from paramctl.writer.folder import Folder, naming, sync
from paramctl.writer.interrupts import Interrupts
from paramctl.writer.target import Target

DISK_BYTES = 1 << 25  # that are written before the disk is told to begin
MAX_NAME = 200  # bytes of a file's name that its draft's name holds: 255 is the most for both
NO_PREALLOCATION = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)


class Draft(Target):
    """A file that is to take the place of `name` in a folder.

    `notes` are what the user should know of how it differs from the file that it replaces.
    """

    def __init__(self, folder: Folder, name: str, interrupts: Interrupts, *, force: bool) -> None:
        self.notes: list[str] = []
        self._folder = folder
        self.name = name
        self._path = folder.join(name)
        self._interrupts = interrupts
        self._open: Descriptor | None = None
        self._position = self._sent = 0
        self._draft = ""
        self._is_placed = False
        self._old = folder.status(name)
        if self._old:
            self._check_old(self._old, force=force)

    def _check_old(self, old: os.stat_result, *, force: bool) -> None:
        if stat.S_ISDIR(old.st_mode):
            raise FileError("is a folder", hint="name a file in it", file=self._path)
        if not stat.S_ISREG(old.st_mode):
            raise FileError("not a regular file", file=self._path)
        if not force:
            what, hint = "the file is there already", (flag("force"), " replaces it")
            raise UsageError(what, hint=hint, file=self._path)
        if old.st_nlink > 1:
            links = old.st_nlink - 1
            self.notes.append(f"{links} other hard link(s) of it still lead to the old contents")

    def create(self, nbytes: int) -> None:
        """Create the draft and claim its room, so that a full disk is known before it is written.

        Raises:
            FileError: the operating system says no.
        """
        short = os.fsdecode(os.fsencode(self.name)[:MAX_NAME])
        draft = f".{short}.{os.urandom(6).hex()}.paramctl-tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        mode = 0o600 if self._old else 0o666
        with naming(self._path):
            with self._interrupts.held():
                descriptor = os.open(draft, flags, mode, dir_fd=self._folder.descriptor)
                self._open = Descriptor(descriptor)
                self._draft = draft
            _preallocate(descriptor, nbytes)

    def write(self, data: bytes) -> None:
        """Write bytes behind those before.

        Raises:
            FileError: the operating system says no.
        """
        self.write_ahead(self._position, data)
        self.pass_by(len(data))

    def write_ahead(self, position: int, data: bytes) -> None:
        """Write bytes that are to stand at a position; from any thread.

        Raises:
            FileError: the operating system says no, or the draft is closed.
        """
        with naming(self._path), self._opened() as draft:
            _write(draft.number, position, data)

    def _opened(self) -> closing[Descriptor]:
        """Return the context in which the draft is open."""
        draft = self._open  # another thread may close it meanwhile
        if draft is None:
            raise FileError("the draft is closed", file=self._path)
        return closing(draft.share())

    def copy(self, source: FileSource, offset: int, nbytes: int) -> int:
        """Have the kernel copy bytes of another file behind those before; return how many it did.

        Raises:
            FileError: the other file cannot be opened, or has changed.
        """
        with self._opened() as draft:
            copied = source.copy_to(draft.number, self._position, offset, nbytes)
        self.pass_by(copied)
        return copied

    def pass_by(self, nbytes: int) -> None:
        """Have the disk begin with what is written, so that `finish` has little to wait for.

        Raises:
            FileError: the operating system says no.
        """
        self._position += nbytes
        waiting = self._position - self._sent
        if waiting >= DISK_BYTES and hasattr(os, "posix_fadvise"):
            with naming(self._path), self._opened() as draft:
                os.posix_fadvise(draft.number, self._sent, waiting, os.POSIX_FADV_DONTNEED)
            self._sent = self._position

    def finish(self) -> None:
        """Give it the old file's mode and owner, and bring it to the disk.

        Raises:
            FileError: the operating system says no; it is not asked twice.
        """
        with naming(self._path), self._opened() as draft:
            if self._old:
                self._keep_owner(draft.number, self._old)
                self._note_attributes()
            sync(draft.number)
        self._close()

    def _close(self) -> None:
        """Close it when no thread writes to it any more: the number may be another file's then."""
        with self._interrupts.held():
            draft, self._open = self._open, None
            if draft:
                draft.close()

    def _keep_owner(self, descriptor: int, old: os.stat_result) -> None:
        own = os.fstat(descriptor)
        mode = stat.S_IMODE(old.st_mode)
        if (own.st_uid, own.st_gid) != (old.st_uid, old.st_gid):
            try:
                os.fchown(descriptor, old.st_uid, old.st_gid)
            except OSError as error:
                if error.errno != errno.EPERM:
                    raise
                mode &= 0o777
                self.notes.append("its owner could not be kept: it is yours now")
        os.fchmod(descriptor, mode)

    def _note_attributes(self) -> None:
        names: list[str] = []
        if hasattr(os, "listxattr"):
            with suppress(OSError):  # a file system that knows none
                names = os.listxattr(self._path, follow_symlinks=False)
        if listed := ", ".join(name for name in names if not name.startswith("security.")):
            self.notes.append(f"its extended attributes are not kept: {listed}")

    def place(self) -> None:
        """Put it in its place.

        Raises:
            FileError: somebody else has changed the file there, or the operating system says no.
        """
        now = self._folder.status(self.name)
        if (now and identity_of(now)) != (self._old and identity_of(self._old)):
            raise FileError(
                "changed by somebody else meanwhile: nothing was written",
                hint="try again",
                file=self._path,
            )
        with naming(self._path):
            folder = self._folder.descriptor
            os.rename(self._draft, self.name, src_dir_fd=folder, dst_dir_fd=folder)
        self._draft = ""
        self._is_placed = True

    def discard(self) -> None:
        """Remove it, also from its place if it is new there."""
        with self._interrupts.held():
            self._close()
            if self._draft:
                self._folder.remove(self._draft)
            elif self._is_placed and not self._old:
                self._folder.remove(self.name)


def _write(descriptor: int, position: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, position)
        view = view[written:]
        position += written


def _preallocate(descriptor: int, nbytes: int) -> None:
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, nbytes)
        except OSError as error:
            if error.errno not in NO_PREALLOCATION:
                raise
