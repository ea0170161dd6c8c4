"""Server with scripted answers, given as bytes, for answers that no HTTP library would send."""

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
# The type of the record that begins a TLS handshake (RFC 8446, section 5.1).
TLS = b"\x16"


@dataclass
class Scripted:
    """A server that answers one request on each connection.

    Attributes:
        port: The port on 127.0.0.1.
        script: The answers in order; the last one is repeated. An answer is bytes, or a function
            of the request that returns bytes. `RESET` resets the connection.
        asked: The request lines, without the HTTP version.
        requests: The requests as bytes.
        times: The times of the requests, by `time.monotonic`.
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
        """Read a request, or the first record of TLS, and send the next answer."""
        request = b""
        while (
            not request.startswith(TLS)
            and b"\r\n\r\n" not in request
            and (more := connection.recv(65536))
        ):
            request += more
        # A connection with unread bytes would be reset, not closed.
        head, _, body = request.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\nContent-Length: *(\d+)", head)
        while length and len(body) < int(length[1]) and (more := connection.recv(65536)):
            request, body = request + more, body + more
        self.times.append(time.monotonic())
        self.requests.append(request)
        self.asked.append(request.partition(b" HTTP")[0].decode("latin-1"))
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        content = step if isinstance(step, bytes) else step(request)
        if content == RESET:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            connection.sendall(content)


def answer(body: bytes, status: int = 200, *, length: int | None = None, **headers: str) -> bytes:
    """Encode an answer.

    Args:
        body: The body.
        status: The status code.
        length: The value of Content-Length, if it is not the length of the body; if negative, the
            header is left out.
        **headers: Further headers, with an underscore for each hyphen.
    """
    sent = {"Content_Type": "application/json", "Connection": "close", **headers}
    if length is None or length >= 0:
        sent["Content_Length"] = str(len(body) if length is None else length)
    lines = [f"HTTP/1.1 {status} As-Ordered"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in sent.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@contextmanager
def serving(*script: bytes | Callable[[bytes], bytes]) -> Iterator[Scripted]:
    """Serve a script until the block ends."""
    server = Scripted(script=[*script])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]

        def run() -> None:
            # `accept` fails when the listener is closed.
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
