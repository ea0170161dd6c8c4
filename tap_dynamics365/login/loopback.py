"""Loopback server: receives the redirect of the sign-in host (RFC 8252, section 7.3)."""

from __future__ import annotations

import errno
import socket
import socketserver
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from typing_extensions import override

from tap_dynamics365.errors import SignInError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Seconds to wait until the browser has read its page. It may have been closed.
SHOW_SECONDS = 10
POLL_SECONDS = 0.05
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Redirect:
    """A redirect from the sign-in host. The browser waits for a page.

    Args:
        parameters: The parameters that the sign-in host added to the address.
        has_browser: Whether a browser waits for a page. None waits if the address was pasted.
    """

    parameters: Mapping[str, str]
    has_browser: bool = True
    _page: SimpleQueue[tuple[HTTPStatus, str]] = field(default_factory=SimpleQueue)
    _shown: Event = field(default_factory=Event)

    def show(self, html: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Show a page in the browser, and wait until the browser has read it.

        Args:
            html: The page.
            status: The HTTP status of the page.
        """
        if self.has_browser:
            self._page.put((status, html))
            self._shown.wait(SHOW_SECONDS)


def parameters(address: str) -> dict[str, str]:
    """Read the parameters that the sign-in host added to an address (RFC 6749, section 4.1.2).

    Args:
        address: The address, or the part of it from the path on.

    Returns:
        The values by name.
    """
    return dict(parse_qsl(address.partition("?")[2].partition("#")[0]))


class _Handler(BaseHTTPRequestHandler):
    """Answers requests to the redirect URI."""

    server: _Server

    def do_GET(self) -> None:
        """Pass the redirect on, and answer with the page for it."""
        if self.path.partition("?")[0] != "/":
            # Browsers also request /favicon.ico.
            self.send_response(HTTPStatus.NOT_FOUND)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        redirect = Redirect(parameters(self.path))
        self.server.redirects.put(redirect)
        status, html = redirect._page.get()  # noqa: SLF001 - the handler is the other side of `show`
        try:
            body = html.encode()
            self.send_response(status)
            for name, value in HEADERS.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        finally:
            redirect._shown.set()  # noqa: SLF001

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing, because the address contains the authorization code."""


class _Server(ThreadingHTTPServer):
    """Listens on 127.0.0.1, on a port that the system chooses."""

    # On Windows, True would allow another program to listen on the same port.
    allow_reuse_address = False
    redirects: SimpleQueue[Redirect]

    @override
    def server_bind(self) -> None:
        # The base class looks up the host name, which takes seconds in some networks.
        socketserver.TCPServer.server_bind(self)

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a browser that closed its connection."""


class _ServerV6(_Server):
    """Listens on ::1."""

    address_family = socket.AF_INET6


@contextmanager
def listening() -> Iterator[tuple[str, SimpleQueue[Redirect]]]:
    """Listen for redirects while the block runs.

    Yields:
        The redirect URI, and a queue of the redirects. For `http://localhost`, Entra ID ignores
        the port. A path, even `/`, would have to be registered:
        https://learn.microsoft.com/entra/identity-platform/reply-url#localhost-exceptions

    Raises:
        SignInError: No port can be opened.
    """
    redirects: SimpleQueue[Redirect] = SimpleQueue()
    try:
        found = _servers()
    except OSError as error:
        msg = f"No port can be opened for the browser ({error.strerror}): use --device-code."
        raise SignInError(msg) from error
    with ExitStack() as stack:
        servers = [stack.enter_context(server) for server in found]
        for server in servers:
            server.redirects = redirects
            Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()
            stack.callback(server.shutdown)
        yield f"http://localhost:{servers[0].server_address[1]}", redirects


def _servers() -> list[_Server]:
    """Listen on all addresses of `localhost`, on the same port."""
    while True:
        server = _Server(("127.0.0.1", 0), _Handler)
        if not has_ipv6():
            return [server]
        try:
            return [server, _ServerV6(("::1", server.server_address[1]), _Handler)]
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return [server]
            # Another program uses the port on ::1, and would receive the redirect.
            server.server_close()


def has_ipv6() -> bool:
    """Tell whether `localhost` may resolve to ::1."""
    try:
        found = socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(address[0] == "::1" for *_, address in found)
