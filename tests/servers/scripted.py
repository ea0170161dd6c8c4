"""A server that says, byte by byte, what it is told to say."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 30
RESET = b"reset"
# The type of a record that begins a handshake (RFC 8446, section 5.1).
TLS = b"\x16"


@dataclass
class Scripted:
    """A server; one of its connections serves one request.

    Attributes:
        port: Where it listens on 127.0.0.1.
        script: What is sent to one request after the other, then the last again and again:
            bytes, or what makes them of the request. `RESET` breaks the connection.
        asked: The request lines that came.
        requests: The requests as they came.
        times: When they came, by `time.monotonic`.
    """

    port: int = 0
    script: list[bytes | Callable[[bytes], bytes]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        """Read a request, or the first words of TLS, and send what comes next."""
        request = b""
        while (
            not request.startswith(TLS)
            and b"\r\n\r\n" not in request
            and (more := connection.recv(65536))
        ):
            request += more
        # With what is left unread the connection would be reset, and not closed.
        head, _, body = request.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\nContent-Length: *(\d+)", head)
        while length and len(body) < int(length[1]) and (more := connection.recv(65536)):
            request, body = request + more, body + more
        self.times.append(time.monotonic())
        self.requests.append(request)
        self.asked.append(request.partition(b" HTTP")[0].decode("latin-1"))
        said = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        content = said if isinstance(said, bytes) else said(request)
        if content == RESET:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            connection.sendall(content)


def answer(body: bytes, status: int = 200, *, length: int | None = None, **headers: str) -> bytes:
    """Write an answer.

    Args:
        body: Its body.
        status: Its status.
        length: What is said of the length of the body; nothing if negative.
        **headers: More headers, with an underscore for each hyphen.
    """
    told = {"Content_Type": "application/json", "Connection": "close", **headers}
    if length is None or length >= 0:
        told["Content_Length"] = str(len(body) if length is None else length)
    lines = [f"HTTP/1.1 {status} As-Ordered"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in told.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@contextmanager
def serving(*script: bytes | Callable[[bytes], bytes]) -> Iterator[Scripted]:
    """Serve while the block runs."""
    server = Scripted(script=[*script])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]

        def run() -> None:
            # Until the listener is closed.
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection: socket.socket) -> None:
            connection.settimeout(SECONDS)
            with connection, suppress(OSError):
                server.serve(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(SECONDS)
