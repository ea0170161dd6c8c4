"""HTTP servers of the tests: a handler that answers, and one that forwards to the sandbox."""

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

# Headers that belong to one connection and are not forwarded (RFC 9110, section 7.6.1).
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
SECONDS = 120


class Answering(BaseHTTPRequestHandler):
    """Handler whose `serve` answers each GET and POST; one instance serves one connection."""

    protocol_version = "HTTP/1.1"

    def serve(self) -> None:
        """Answer a request."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Answer a GET request."""
        self.serve()

    def do_POST(self) -> None:
        """Answer a POST request."""
        self.serve()

    def body(self) -> bytes:
        """Read the body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        """Send an answer and keep the connection open."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


class Front(Answering):
    """Reverse proxy: forwards each request to another server and returns its answer.

    Attributes:
        upstream: Scheme, host and port of the other server.
    """

    upstream: ClassVar[str]

    @override
    def serve(self) -> None:
        self.forward(self.body())

    def forward(self, body: bytes, **added: str) -> None:
        """Forward the request.

        Args:
            body: The body of the request.
            **added: Headers that replace those of the request, with an underscore for each
                hyphen.
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
            # The upstream server cut the connection, so this one is cut too.
            self.close_connection = True
            return
        finally:
            connection.close()
        kept = [each for each in answer.getheaders() if each[0].lower() not in HOP_BY_HOP]
        self.answer(answer.status, kept, content)


class _Server(ThreadingHTTPServer):
    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that have disconnected."""


@contextmanager
def serving(handler: type[Answering]) -> Iterator[ThreadingHTTPServer]:
    """Serve on a free port of 127.0.0.1, in threads of this process, until the block ends."""
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
