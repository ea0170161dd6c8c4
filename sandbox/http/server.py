"""HTTP server: uvicorn with connections that faults can close, and an immediate shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import socket
import struct
import sys
from typing import TYPE_CHECKING, ClassVar

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from asyncio import BaseTransport, Transport
    from collections.abc import Callable, Iterator
    from types import FrameType

    from starlette.types import ASGIApp


BACKLOG = 512
ENDING = (signal.SIGTERM, signal.SIGINT)
# Seconds that the event loop needs at most to set up the connections that it has accepted.
ACCEPTED = 0.01
# httptools parses no longer URLs; the services refuse some longer ones by what they contain.
PARSED = 65_535
# Value of SO_LINGER: a connection that is closed without time to linger is reset.
NO_TIME = struct.pack("ii", 1, 0)


class Connection(HttpToolsProtocol):
    """A connection that can be found by its client's address."""

    open: ClassVar[dict[tuple[str, int], Transport]] = {}

    def connection_made(self, transport: BaseTransport) -> None:
        """Register the connection."""
        super().connection_made(transport)  # type: ignore[arg-type]
        if self.client:
            self.open[self.client] = self.transport

    def on_headers_complete(self) -> None:
        """Pass on the whole query of a URL of any length."""
        url = self.url
        self.url = url[:PARSED]
        super().on_headers_complete()
        self.scope["query_string"] = url.partition(b"?")[2]

    def connection_lost(self, exc: Exception | None) -> None:
        """Unregister the connection."""
        if self.client:
            self.open.pop(self.client, None)
        super().connection_lost(exc)


def abort(client: tuple[str, int], *, reset: bool = False) -> None:
    """Close a client's connection at once.

    Args:
        client: Host and port of the client.
        reset: Reset the connection, as a host does that does not know it (RFC 9293, section 3.5.2).
    """
    transport = Connection.open.get(tuple(client))  # type: ignore[arg-type]
    if transport is not None:
        if reset:
            socket_of = transport.get_extra_info("socket")
            socket_of.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_TIME)
        transport.abort()


async def leave(seconds: float) -> None:
    """Close all connections and refuse new ones for a while, as a restarting server does.

    Args:
        seconds: How long.
    """
    for server in list(Server.running):
        await server.leave(seconds)


class Server(uvicorn.Server):
    """A server that reports when it is ready, and shuts down without waiting for clients.

    Args:
        config: Settings of uvicorn.
        ready: Called once, when the server accepts requests.
    """

    running: ClassVar[list[Server]] = []

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._ended = asyncio.Event()
        self.running.append(self)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the sockets and report that the server is ready."""
        await super().startup(sockets)
        self._ready()

    async def main_loop(self) -> None:
        """Wait for the signal; uvicorn would poll ten times a second."""
        await self._ended.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening; connections end with the process, while uvicorn would wait for them."""
        for listening in (*self.servers, *(sockets or ())):
            listening.close()

    async def leave(self, seconds: float) -> None:
        """Serve nobody for a while.

        Args:
            seconds: How long.
        """
        loop = asyncio.get_running_loop()
        served, self.servers = self.servers, []
        # A duplicate of the socket keeps the port while nothing listens.
        sockets = [server.sockets[0].dup() for server in served]
        for server in served:
            loop.remove_reader(server.sockets[0])
        # A connection that was accepted needs the server for another moment. It would never be
        # answered, nor closed, if the server were closed first.
        await asyncio.sleep(ACCEPTED)
        for server, listening in zip(served, sockets, strict=True):
            server.close()
            listening.shutdown(socket.SHUT_RDWR)
        for transport in list(Connection.open.values()):
            transport.abort()
        await asyncio.sleep(seconds)
        protocol = functools.partial(
            Connection, self.config, self.server_state, self.lifespan.state
        )
        for listening in sockets:
            again = await loop.create_server(protocol, sock=listening, backlog=BACKLOG)
            self.servers.append(again)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Shut down on SIGTERM and SIGINT; a second signal changes nothing."""
        loop = asyncio.get_running_loop()

        def end(_number: int, _frame: FrameType | None) -> None:
            # The next signal may come when the loop is closed.
            for number in ENDING:
                signal.signal(number, signal.SIG_IGN)
            loop.call_soon_threadsafe(self._end)

        for number in ENDING:
            # Event loops have no signal handlers on Windows.
            signal.signal(number, end)
        yield

    def _end(self) -> None:
        self.should_exit = True
        self._ended.set()


def listen(host: str, port: int) -> socket.socket:
    """Open a socket to serve on.

    Args:
        host: Address to listen on.
        port: Port to listen on. 0 takes a free one.
    """
    listening = _bound(host, port)
    if sys.platform == "linux":
        # Bound to a port by number, a socket keeps the port while it does not listen. Other systems
        # don't let two sockets have the same port.
        with listening as found:
            listening = _bound(host, found.getsockname()[1])
    listening.listen(BACKLOG)
    return listening


def _bound(host: str, port: int) -> socket.socket:
    # asyncio disables Nagle's algorithm only for sockets that name the protocol.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    return bound


def _is_defect(record: logging.LogRecord) -> bool:
    """Return whether a log record reports an exception, rather than a fault or the shutdown."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is not None and issubclass(kind, Exception)


def serve(app: ASGIApp, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until a signal arrives.

    Args:
        app: The application.
        listening: The socket.
        ready: Called once, when the server accepts requests.
    """
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        # Without a configuration of logging, Python writes errors of the application to stderr.
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        # The layer of faults adds the header, by the service's clock.
        date_header=False,
        timeout_keep_alive=60,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_defect)
    asyncio.run(Server(config, ready).serve(sockets=[listening]))
