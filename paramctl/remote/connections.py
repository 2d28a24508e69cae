"""Connections to web servers, kept open between requests.

`http.client`, since fsspec's HTTP file system reads and believes an answer whatever it is, as long
as it may be, and follows every redirect.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
    RemoteDisconnected,
)
from socket import gaierror
from ssl import SSLCertVerificationError
from threading import Lock
from urllib.request import getproxies, proxy_bypass
from weakref import finalize

from paramctl import __version__
from paramctl.errors import FileError, blaming
from paramctl.remote.addresses import Address, Origin, parse

CONNECT_SECONDS = 10
READ_SECONDS = 30  # without a byte
AGENT = {"User-Agent": f"paramctl/{__version__}"}
ENDED = (RemoteDisconnected, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
FAILURES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((gaierror,), "there is no such host, or no network"),
    ((TimeoutError,), "the server does not answer"),
    ((IncompleteRead, *ENDED), "the server broke off"),
)
TRY_AGAIN = "try again, or download the file first"


class Connections:
    """The connections that are open and idle, by whom they are to."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._idle: dict[Origin, list[HTTPConnection]] = defaultdict(list)
        finalize(self, _close_all, self._idle)

    @contextmanager
    def get(self, address: Address, headers: Mapping[str, str]) -> Iterator[HTTPResponse]:
        """Ask for something; the answer is to be read inside the context.

        Raises:
            FileError: there is no server, or it does not answer, or breaks off.
        """
        try:
            connection, response = self._ask(address, headers)
            is_read = False
            try:
                with response:
                    yield response
                    is_read = response.isclosed()
            finally:
                self._put_back(address.origin, connection, is_idle=is_read)
        except (OSError, HTTPException, ValueError) as error:
            raise _explain(error) from error

    def _put_back(self, origin: Origin, connection: HTTPConnection, *, is_idle: bool) -> None:
        """Keep a connection, where nothing is left to read of it and the server keeps it too."""
        if is_idle and connection.sock:
            with self._lock:
                self._idle[origin].append(connection)
        else:
            connection.close()

    def _ask(
        self, address: Address, headers: Mapping[str, str]
    ) -> tuple[HTTPConnection, HTTPResponse]:
        """Ask on an idle connection; on a new one where there is none, or it has ended."""
        with self._lock:
            idle = self._idle[address.origin]
            connection = idle.pop() if idle else None
        if connection:
            with suppress(*ENDED):
                return connection, _send(connection, address, headers)
        connection = _connect(address.origin)
        return connection, _send(connection, address, headers)


def _close_all(idle: Mapping[Origin, list[HTTPConnection]]) -> None:
    for connections in idle.values():
        for connection in connections:
            connection.close()


def _connect(origin: Origin) -> HTTPConnection:
    proxy = _find_proxy(origin)
    kind = HTTPSConnection if origin.scheme == "https" else HTTPConnection
    _, host, port = proxy.origin if proxy else origin
    connection = kind(host, port, timeout=CONNECT_SECONDS)
    if proxy and origin.scheme == "https":
        connection.set_tunnel(origin.host, origin.port, _proxy_login(proxy))
    connection.connect()
    connection.sock.settimeout(READ_SECONDS)
    return connection


def _send(connection: HTTPConnection, address: Address, headers: Mapping[str, str]) -> HTTPResponse:
    target = address.target
    if address.origin.scheme == "http" and (proxy := _find_proxy(address.origin)):
        target = address.shown.removesuffix(address.path) + target
        headers = {**headers, **_proxy_login(proxy)}
    if address.login:
        headers = {"Authorization": address.login, **headers}
    try:
        connection.request("GET", target, headers={**AGENT, **headers})
        return connection.getresponse()
    except BaseException:
        connection.close()
        raise


def _find_proxy(origin: Origin) -> Address | None:
    """Return the proxy that the environment names, as http_proxy does."""
    url = getproxies().get(origin.scheme)
    if not url or proxy_bypass(origin.host):
        return None
    with blaming(f"{origin.scheme}_proxy"):
        return parse(url if "://" in url else f"http://{url}")


def _proxy_login(proxy: Address) -> dict[str, str]:
    return {"Proxy-Authorization": proxy.login} if proxy.login else {}


def _explain(error: OSError | HTTPException | ValueError) -> FileError:
    """Say what went wrong on the way."""
    for kinds, what in FAILURES:
        if isinstance(error, kinds):
            return FileError(what, hint=TRY_AGAIN)
    if isinstance(error, SSLCertVerificationError):
        what = f"its certificate is not trusted: {error.verify_message}"
        return FileError(what, hint="SSL_CERT_FILE names a file of those that are")
    if isinstance(error, HTTPException):
        return FileError(f"no answer of HTTP: {error or type(error).__name__}")
    if isinstance(error, OSError):
        return FileError(error.strerror or str(error))
    return FileError("no request can be made of it, or of its token or password")
