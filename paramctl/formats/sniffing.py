"""What tells a file's format: its first bytes, a text's keys, the first member of a zip archive."""

import re
from collections.abc import Callable
from functools import cached_property

from paramctl.checkpoint import Checkpoint, ReadOptions
from paramctl.errors import MalformedError
from paramctl.sources import Source

Reader = Callable[[Source, ReadOptions], Checkpoint]

HEAD_BYTES = 512
ZIP_HEADER, ZIP_END, ZIP_END_BYTES = b"PK\x03\x04", b"PK\x05\x06", 22
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
PICKLE = b"\x80"  # the PROTO opcode, with which every pickle since protocol 2 begins
TAR_MAGIC = slice(257, 262)
MAX_TEXT = 1 << 20  # bytes of a text in which its keys are looked for
WEB_PAGE = "a web page, perhaps an error message, or a server's list of a folder: name a file in it"

_TEXT = re.compile(rb"[\t\n\r -~\x80-\xff]{8}|[\t\n\r -~]{0,7}\Z")
_NAME_BYTES, _NAME = slice(26, 28), 30  # of a zip member: where its length stands, and the name

UNREAD = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself: run 'git lfs pull'"),
    (b"\x1f\x8b", "a gzip file: unpack it first"),
    (b"BZh", "a bzip2 file: unpack it first"),
    (b"\xfd7zXZ\x00", "an xz file: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd file: unpack it first"),
    (b"<!DOCTYPE", WEB_PAGE),
    (b"<html", WEB_PAGE),
)

TEXT = (
    "a text in no format that paramctl reads: a spec has 'layers:', code is named with a function, "
    "model.py:build"
)


class Opening:
    """What a file begins with; `head` is its first bytes, 512 where it has so many."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.head = source.read(0, min(HEAD_BYTES, source.size))

    @property
    def is_zip(self) -> bool:
        """Whether a zip archive begins here, and no safetensors file with a header of 67 MB."""
        return self.head.startswith(ZIP_HEADER) and self.head[8:9] != b"{"

    @property
    def is_empty_zip(self) -> bool:
        """Whether a zip archive without members begins here."""
        return self.head.startswith(ZIP_END) and self.head[8:9] != b"{"

    @cached_property
    def first_member(self) -> str:
        """The name of the first member of a zip archive; "" where it is none."""
        if not self.is_zip:
            return ""
        length = int.from_bytes(self.head[_NAME_BYTES], "little")
        left = max(self.source.size - _NAME, 0)
        name = self.source.read(min(_NAME, self.source.size), min(length, left))
        return name.decode("utf-8", "replace")

    @cached_property
    def text(self) -> bytes:
        """The first MB of a text, b"" of anything else; a safetensors header's length is none."""
        if not _TEXT.match(self.head) or self.is_unread:
            return b""
        return self.source.read(0, min(MAX_TEXT, self.source.size))

    @property
    def is_json(self) -> bool:
        """Whether it is a text that is to be a JSON object."""
        return self.text.lstrip().startswith(b"{")

    @property
    def is_unread(self) -> bool:
        """Whether it is in a format that is known, and not read."""
        return any(self.head.lower().startswith(magic.lower()) for magic, _ in UNREAD)

    @property
    def is_tar(self) -> bool:
        """Whether a tar archive begins here."""
        return self.head[TAR_MAGIC] == b"ustar"

    @property
    def may_be_cut_header(self) -> bool:
        """Whether this looks like a safetensors length with a broken header."""
        head = self.head
        return (
            not self.is_unread
            and not self.is_tar
            and not self.text
            and head[:1] != PICKLE
            and (self.source.size < 8 or head[4:8] == bytes(4) or head[:8] == b"\xff" * 8)
        )

    def check_unambiguous(self, name: str) -> None:
        """Make sure that no other reader would take the file for an archive.

        Raises:
            MalformedError: it is a tar archive, or for a zip reader, which looks from the end, one.
        """
        if self.is_zip or self.is_empty_zip:
            if self.is_tar:
                raise MalformedError("ambiguous: both a zip and a tar archive")
            return
        nbytes = min(self.source.size, ZIP_END_BYTES)
        tail = self.source.read(self.source.size - nbytes, nbytes)
        if tail.startswith(ZIP_END) and tail.endswith(b"\0\0"):
            raise MalformedError(
                f"ambiguous: both a {name.replace('.', ' ')} file and a zip archive"
            )

    def describe_unknown(self) -> str:
        """Say what it is, where it is in no format that is read."""
        for magic, description in UNREAD:
            if self.head.lower().startswith(magic.lower()):
                told = "this is" if ":" in description else "not read:"
                return f"{told} {description}"
        if self.is_tar:
            return "not read: a tar archive (torch before 0.1.10, or a package: unpack that first)"
        if self.head[:1] == PICKLE:
            return "a pickle, but not a torch checkpoint"
        if self.text:
            return TEXT
        return (
            "in no format that paramctl reads (safetensors, torch .pt, a sharded model's index, "
            "GGUF, ONNX, HDF5, Keras, npz, Flax, a spec, a config.json)"
        )
