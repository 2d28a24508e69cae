"""Files of web servers, read in parts."""

from http.client import HTTPResponse
from posixpath import splitext
from typing import NamedTuple

from paramctl.errors import AbsentError, DeniedError, FileError, LimitError, blaming
from paramctl.remote.addresses import Address, parse
from paramctl.remote.answers import (
    DOWNLOAD,
    NO_PART,
    WHOLE,
    Part,
    check_status,
    find_part,
    follow,
    read_body,
    read_some,
)
from paramctl.remote.connections import Connections
from paramctl.remote.windows import WINDOW, FarSource

MAX_WHOLE = 1 << 24  # bytes of a file that is read as a whole where its server serves no parts
NO_LIST = "a server lists no folders: name the file, such as model.safetensors.index.json in one"
LOG_IN = f"{DOWNLOAD}, or put USER:PASSWORD@ before its host"


class Access(NamedTuple):
    """By which connections a file is asked for, and what to do where it is denied."""

    connections: Connections
    denied: str = LOG_IN


def open_web(url: str) -> "WebSource":
    """Open a file at an http or https URL.

    Raises:
        UsageError: it is no URL.
        FileError: the server does not serve it in parts, or does not answer as it should.
        UnsafeError: it redirects to where no model is.
    """
    address = parse(url)
    try:
        return WebSource(address, Access(Connections()))
    except AbsentError as error:
        if not splitext(address.path)[1][1:].isidentifier():
            error.hint = NO_LIST
        raise


def read_document(address: Address, access: Access, limit: int) -> bytes:
    """Return a whole file.

    Raises:
        FileError: the server does not serve it.
        LimitError: it has more than `limit` bytes.
    """
    with follow(access.connections, address, {}) as (response, _):
        check_status(response, access.denied)
        data = read_some(response, limit + 1)
    if len(data) > limit:
        raise LimitError(f"an answer of more than {limit} bytes")
    return data


class WebSource(FarSource):
    """A file of a web server, the same one for as long as it is read."""

    def __init__(self, address: Address, access: Access, name: str = "") -> None:
        name = name or address.shown
        self._address = self._found = address
        self._access = access
        self._version: tuple[int, str] | None = None
        with blaming(name):
            part, head = self._get(0, WINDOW)
        self._version = (part.total, part.version)
        self._whole = head if len(head) == part.total else None
        super().__init__(name, part.total, head)

    def beside(self, name: str, *, follow: bool = True) -> "WebSource | None":  # noqa: ARG002 (there are no links)
        """Return the file of this name in the same folder; None where there is none."""
        shown = f"{self.name.rpartition('/')[0]}/{name}"
        try:
            return WebSource(self._address.beside(name), self._access, shown)
        except AbsentError:
            return None

    def _fetch(self, begin: int, end: int) -> bytes:
        if self._whole is not None:
            return self._whole[begin:end]
        with blaming(self.name):
            part, data = self._get(begin, end)
        return data[begin - part.begin : end - part.begin]

    def _get(self, begin: int, end: int) -> tuple[Part, bytes]:
        """Ask where redirects led before; an address that was signed may have expired since."""
        try:
            return self._get_from(self._found, begin, end)
        except (AbsentError, DeniedError):
            if self._found == self._address:
                raise
        return self._get_from(self._address, begin, end)

    def _get_from(self, address: Address, begin: int, end: int) -> tuple[Part, bytes]:
        headers = {"Range": f"bytes={begin}-{end - 1}"}
        with follow(self._access.connections, address, headers) as (response, self._found):
            check_status(response, self._access.denied)
            part = find_part(response, begin, end)
            if self._version not in (None, (part.total, part.version)):
                raise FileError("file changed while it was read; try again")
            return part, _read(response, part)


def _read(response: HTTPResponse, part: Part) -> bytes:
    """Read a part of a file, or all of a small one whose server serves no parts."""
    if response.status == NO_PART:
        return b""
    if response.status == WHOLE and part.length > MAX_WHOLE:
        raise FileError(
            f"the server does not serve parts of files, and all of it is {part.length} bytes",
            hint=DOWNLOAD,
        )
    return read_body(response, part.length)
