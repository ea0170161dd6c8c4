"""The HTTP server: uvicorn, with connections that faults can cut and an end without delay."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from typing import TYPE_CHECKING, ClassVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from asyncio import BaseTransport, Transport
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp


class Connection(H11Protocol):
    """A connection that can be found by its client's address."""

    open: ClassVar[dict[tuple[str, int], Transport]] = {}

    def connection_made(self, transport: BaseTransport) -> None:
        """Remember the connection."""
        super().connection_made(transport)  # type: ignore[arg-type]
        if self.client:
            self.open[self.client] = self.transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self.client:
            self.open.pop(self.client, None)
        super().connection_lost(exc)


def abort(client: tuple[str, int]) -> None:
    """Close a client's connection at once."""
    transport = Connection.open.get(tuple(client))  # type: ignore[arg-type]
    if transport is not None:
        transport.abort()


class Server(uvicorn.Server):
    """A server that says when it is ready, and ends on a signal without waiting for anyone.

    Args:
        config: uvicorn's settings.
        ready: called once, when requests are answered.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the sockets, and say so."""
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT as the request to end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        yield

    def _end(self) -> None:
        self.should_exit = True
        self.force_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A socket to serve on; port 0 takes a free one."""
    # With the protocol named, asyncio switches the delay of small packets off.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen(512)
    return listening


def serve(app: ASGIApp, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until a signal comes.

    Args:
        app: what to serve.
        listening: the socket.
        ready: called once, when requests are answered.
    """
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        server_header=False,
        # The layer of faults adds the one of the service's clock.
        date_header=False,
        timeout_keep_alive=60,
    )
    asyncio.run(Server(config, ready).serve(sockets=[listening]))
