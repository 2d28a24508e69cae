"""What web servers answer: where they send us, what they say of a file, and its bytes.

Source: RFC 9110, HTTP Semantics, sections 14 (range requests) and 15.4 (redirection).
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPResponse
from io import BytesIO
from ipaddress import ip_address
from socket import getaddrinfo
from typing import NamedTuple

from paramctl.errors import AbsentError, DeniedError, FileError, UnsafeError
from paramctl.remote.addresses import Address, Origin
from paramctl.remote.connections import TRY_AGAIN, Connections

MAX_REDIRECTS = 10
MAX_REDIRECT_BYTES = 1 << 16  # of an answer that only redirects: its connection is of use again
REDIRECTS = (301, 302, 303, 307, 308)
WHOLE, PART, NO_PART = 200, 206, 416
DENIED, ABSENT = (401, 403, 407), (404, 410)
DOWNLOAD = "download the file first"

_RANGE = re.compile(r"bytes (?:(\d{1,20})-(\d{1,20})|\*)/(\d{1,20})", re.IGNORECASE)
_LENGTH = re.compile(r"\d{1,20}")


class Part(NamedTuple):
    """Which bytes of a file an answer holds; `version` changes when the file does."""

    begin: int
    length: int
    total: int
    version: str


@contextmanager
def follow(
    connections: Connections, address: Address, headers: Mapping[str, str]
) -> Iterator[tuple[HTTPResponse, Address]]:
    """Ask, and go on where a server sends us; yield the last answer and who gave it.

    Raises:
        FileError: one does not answer, or it goes on without end.
        UnsafeError: it goes where no model is.
    """
    first = address.origin
    for _ in range(MAX_REDIRECTS + 1):
        with connections.get(address, headers) as response:
            location = response.headers["Location"] if response.status in REDIRECTS else None
            if location is None:
                yield response, address
                return
            response.read(MAX_REDIRECT_BYTES)
        address = address.redirect(location)
        if _is_local(address.origin) and not _is_local(first):
            raise UnsafeError("redirected to this machine or its network's own services")
    raise FileError(f"redirected more than {MAX_REDIRECTS} times")


def _is_local(origin: Origin) -> bool:
    """Whether a host is this machine, or a service that only machines of its network reach."""
    try:
        found = getaddrinfo(origin.host, origin.port)
    except (OSError, UnicodeError):
        return False
    hosts = [ip_address(str(address[0]).partition("%")[0]) for *_, address in found]
    return any(host.is_loopback or host.is_link_local or host.is_unspecified for host in hosts)


def check_status(response: HTTPResponse, denied: str) -> None:
    """Make sure that an answer holds a file; `denied` is what to do where it is not for us.

    Raises:
        AbsentError: there is none.
        DeniedError: it is not for us.
        FileError: the server cannot serve it.
    """
    status = f"{response.status} {response.reason}".strip()
    if response.status in ABSENT:
        raise AbsentError(f"the server has no such file: {status}")
    if response.status in DENIED:
        raise DeniedError(f"the server refuses it: {status}", hint=denied)
    if response.status not in (WHOLE, PART, NO_PART):
        raise FileError(f"the server does not serve it: {status}", hint=TRY_AGAIN)
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding not in ("", "identity"):
        raise FileError(f"the server sends it packed, by {encoding}", hint=DOWNLOAD)


def find_part(response: HTTPResponse, begin: int, end: int) -> Part:
    """Return which part of a file an answer holds, where that from `begin` to `end` was asked for.

    Raises:
        FileError: it holds another, or one of unknown length.
    """
    version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
    length = _length(response)
    if response.status == WHOLE:
        if length is None:
            raise FileError("the server does not say how long the file is", hint=DOWNLOAD)
        return Part(0, length, length, version)
    header = response.headers.get("Content-Range", "")
    told = _RANGE.fullmatch(header.strip())
    if response.status == NO_PART and told and int(told[3]) == begin == 0:
        return Part(0, 0, 0, version)
    first, last, total = map(int, told.groups(default="-1")) if told else (-1, -1, -1)
    if (first, last + 1) != (begin, min(end, total)) or length not in (None, last + 1 - begin):
        raise FileError(
            f"bytes {begin} to {end - 1} are asked for, and the server says that it sends "
            f"'{header}', {'any number' if length is None else length} of them",
            hint=DOWNLOAD,
        )
    return Part(begin, last + 1 - begin, total, version)


def _length(response: HTTPResponse) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if _LENGTH.fullmatch(length) else None


def read_body(response: HTTPResponse, length: int) -> bytes:
    """Return the bytes of an answer, which must be so many.

    Raises:
        FileError: there are fewer or more.
    """
    data = read_some(response, length)
    if len(data) < length:
        what = f"the server broke off after {len(data)} of {length} bytes"
        raise FileError(what, hint=TRY_AGAIN)
    if response.read(1):
        raise FileError(f"the server sends more than the {length} bytes that it says")
    return data


def read_some(response: HTTPResponse, most: int) -> bytes:
    """Return the bytes of an answer, no more than `most`."""
    data = BytesIO()
    while (left := most - data.tell()) and (piece := response.read(left)):
        data.write(piece)
    return data.getvalue()
