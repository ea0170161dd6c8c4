"""What stands in front of the sandbox and hands requests on: the part that all have in common."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator

# What concerns a connection, not what is said on it (RFC 9110, section 7.6.1).
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
SECONDS = 120


class Front(BaseHTTPRequestHandler):
    """Hands every request on, and the answer back; one of it serves one connection.

    Attributes:
        upstream: Scheme, host and port of the server behind it.
    """

    protocol_version = "HTTP/1.1"
    upstream: ClassVar[str]

    def serve(self) -> None:
        """Answer a request."""
        self.forward(self.body())

    def do_GET(self) -> None:
        """Answer a GET."""
        self.serve()

    def do_POST(self) -> None:
        """Answer a POST."""
        self.serve()

    def body(self) -> bytes:
        """The body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def forward(self, body: bytes, **added: str) -> None:
        """Hand the request on.

        Args:
            body: Its body.
            **added: Headers that take the place of the request's own, with an underscore for
                each hyphen.
        """
        own = {name.lower(): value for name, value in self.headers.items()}
        own |= {name.replace("_", "-").lower(): value for name, value in added.items()}
        headers = {name: value for name, value in own.items() if name not in HOP_BY_HOP}
        connection = HTTPConnection(urlsplit(self.upstream).netloc, timeout=SECONDS)
        try:
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (HTTPException, OSError):
            # It was cut off behind, so it is cut off here.
            self.close_connection = True
            return
        finally:
            connection.close()
        kept = [each for each in answer.getheaders() if each[0].lower() not in HOP_BY_HOP]
        self.answer(answer.status, kept, content)

    def answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        """Send an answer, and keep the connection."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Be silent about clients that are gone."""


@contextmanager
def serving(handler: type[Front]) -> Iterator[ThreadingHTTPServer]:
    """Serve in threads of this process, on a free port of 127.0.0.1."""
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
