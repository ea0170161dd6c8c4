"""What goes over the line: requests out, bytes in."""

from __future__ import annotations

from threading import Lock
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from urllib3 import BaseHTTPResponse


class Traffic:
    """Counts the requests of a run, and the bytes of the answers' bodies as they arrive.

    Attributes:
        requests: How many went out: those for tokens, repetitions and redirects too.
        received: Bytes, compressed where the service compresses.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self.requests = 0
        self.received = 0

    def sent(self) -> None:
        """Count a request."""
        with self._lock:
            self.requests += 1

    def arrived(self, size: int) -> None:
        """Count bytes.

        Args:
            size: How many.
        """
        with self._lock:
            self.received += size

    def watch(self, answer: BaseHTTPResponse) -> None:
        """Count the body of an answer while it is read, by whomever.

        Args:
            answer: One of which the headers are read, and nothing else.
        """
        # urllib3 itself does not count what comes in chunks.
        below: HTTPResponse | None = getattr(answer, "_original_response", None)
        if below is not None and below.fp is not None:
            below.fp = _Counted(below.fp, self)  # type: ignore[assignment]  # is read as one


class _Counted:
    """A body on its way. `http.client` reads it in these ways, and no layer above it by itself."""

    def __init__(self, body: IO[bytes], traffic: Traffic) -> None:
        self._body = body
        self._traffic = traffic

    def read(self, size: int = -1) -> bytes:
        content = self._body.read(size)
        self._traffic.arrived(len(content))
        return content

    def readinto(self, buffer: bytearray) -> int:
        size: int = self._body.readinto(buffer)  # type: ignore[attr-defined]  # it is a reader
        self._traffic.arrived(size)
        return size

    def readline(self, limit: int = -1) -> bytes:
        line = self._body.readline(limit)
        self._traffic.arrived(len(line))
        return line

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the body has
        return getattr(self._body, name)
