"""Web addresses: what of them is asked for, and what of them may be shown."""

from base64 import b64encode
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from paramctl.errors import FileError, UnsafeError, UsageError

PORTS = {"http": 80, "https": 443}
PATH_MARKS = "/%:@!$&'()*+,;=~"  # of a path that is quoted already, or never is
QUERY_MARKS = PATH_MARKS + "?"


class Origin(NamedTuple):
    """Whom to connect to."""

    scheme: str
    host: str
    port: int


class Address(NamedTuple):
    """What to ask whom for; `login` is the header of the user and password that stood in it."""

    origin: Origin
    path: str
    query: str
    login: str = ""

    @property
    def target(self) -> str:
        """What a request asks for."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def shown(self) -> str:
        """The address without what may be secret: user, password and query."""
        scheme, host, port = self.origin
        host = f"[{host}]" if ":" in host else host
        return f"{scheme}://{host}{'' if port == PORTS[scheme] else f':{port}'}{self.path}"

    def beside(self, name: str) -> "Address":
        """Return the address of a file in the same folder, or below it."""
        folder = self.path.rpartition("/")[0]
        return self._replace(path=f"{folder}/{quote(name)}")

    def redirect(self, location: str) -> "Address":
        """Return where a server sends us.

        Raises:
            UnsafeError: to something that is no web address, or where all the way could listen.
        """
        try:
            whole = urljoin(f"{self.shown}?{self.query}", location)
            scheme = urlsplit(whole).scheme
            if scheme not in PORTS:
                raise UnsafeError(f"redirected to {scheme}: only http and https are followed")
            if scheme == "http" and self.origin.scheme == "https":
                raise UnsafeError("redirected from https to http, which anybody could have changed")
            target = parse(whole)
        except (ValueError, UsageError) as error:
            raise FileError("redirected to what is no URL") from error
        return target._replace(login=self.login if target.origin == self.origin else "")


def parse(url: str) -> Address:
    """Take a URL of the web apart.

    Raises:
        UsageError: it is none.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        host.encode("idna")
        port = PORTS[parts.scheme]
        origin = Origin(parts.scheme, host, parts.port or port)
        path = quote(parts.path, PATH_MARKS, errors="surrogateescape")
        query = quote(parts.query, QUERY_MARKS, errors="surrogateescape")
    except (ValueError, KeyError) as error:
        raise UsageError("a URL that cannot be read") from error
    if not host:
        raise UsageError("a URL without a host", file=url)
    return Address(origin, path or "/", query, _login(parts))


def _login(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(pair.encode(errors='surrogateescape')).decode()}"
