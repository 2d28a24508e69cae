"""A server of the web on this machine: it serves files in parts, counts, and can misbehave."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

CHUNK = 1 << 20


class Server(ThreadingHTTPServer):
    """Serves the files below `folder`; `answers` are of other paths: a handler's method.

    Attributes:
        requests: what was asked for: path, range, and all the headers.
        moved: the bytes of bodies that were sent.
        etag: what tells versions of files.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.answers: dict[str, Callable[[Handler], object]] = {}
        self.requests: list[tuple[str, str, Mapping[str, str]]] = []
        self.moved = 0
        self.etag = '"1"'
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet: clients that go away early are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    """Answers a request."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Serve what is asked for."""
        asked = urlsplit(self.path).path
        path = unquote(asked)
        with self.server.lock:
            self.server.requests.append((asked, self.headers.get("Range", ""), dict(self.headers)))
        if path in self.server.answers:
            self.server.answers[path](self)
        else:
            self.serve(self.server.folder / path.strip("/"))

    def serve(self, file: Path, *, parts: bool = True) -> None:
        """Send a file, or the part of it that is asked for."""
        if not file.is_file():
            self.say(404)
            return
        size = file.stat().st_size
        begin, end = 0, size
        status, headers = 200, {}
        asked = self.headers.get("Range", "")
        if parts and asked:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            begin, end = int(first), min(size, int(last) + 1)
            if begin >= size:
                self.say(416, {"Content-Range": f"bytes */{size}"})
                return
            status, headers = 206, {"Content-Range": f"bytes {begin}-{end - 1}/{size}"}
        self.start(status, headers | {"Content-Length": str(end - begin)})
        with file.open("rb") as bytes_:
            bytes_.seek(begin)
            while begin < end and (piece := bytes_.read(min(CHUNK, end - begin))):
                self.send(piece)
                begin += len(piece)

    def say(self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        """Send an answer that is not a file's."""
        self.start(status, {"Content-Length": str(len(body))} | dict(headers or {}))
        self.send(body)

    def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send a status and headers."""
        self.send_response(status)
        for name, value in ({"ETag": self.server.etag} | dict(headers)).items():
            self.send_header(name, value)
        self.end_headers()

    def send(self, body: bytes) -> None:
        """Send bytes of a body."""
        with self.server.lock:
            self.server.moved += len(body)
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's)
        """Say nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve a folder for the time of the context."""
    with Server(folder) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
