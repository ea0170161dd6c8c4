"""Traffic: counts the requests of a run, and the bytes of the response bodies."""

from __future__ import annotations

from threading import Lock, local
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from urllib3 import BaseHTTPResponse


class Traffic:
    """Counts the requests of a run, and the bytes of the response bodies as they arrive.

    Attributes:
        requests: Requests that were sent, including those for tokens, retries and redirects.
        received: Bytes that were received, before they are decompressed.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._here = local()
        self.requests = 0
        self.received = 0

    def sent(self) -> None:
        """Count a request."""
        with self._lock:
            self.requests += 1

    def arrived(self, size: int) -> None:
        """Count bytes of a body.

        Args:
            size: The number of bytes.
        """
        with self._lock:
            self.received += size
        self._here.received = self.received_here + size

    @property
    def received_here(self) -> int:
        """Bytes that were received for requests of this thread, before they are decompressed."""
        received: int = getattr(self._here, "received", 0)
        return received

    def watch(self, response: BaseHTTPResponse) -> None:
        """Count the body of a response while it is read.

        Args:
            response: A response whose body has not been read yet.
        """
        # `tell` of urllib3 leaves out bodies that are sent in chunks, and nothing public counts
        # them.
        below: HTTPResponse | None = getattr(response, "_original_response", None)
        if below is not None and below.fp is not None:
            below.fp = _Counted(below.fp, self)  # type: ignore[assignment]  # has the methods in use


class _Counted:
    """The file object that `http.client` reads a body from, with these three methods."""

    def __init__(self, body: IO[bytes], traffic: Traffic) -> None:
        self._body = body
        self._traffic = traffic

    def read(self, size: int = -1) -> bytes:
        content = self._body.read(size)
        self._traffic.arrived(len(content))
        return content

    def readinto(self, buffer: bytearray) -> int:
        size: int = self._body.readinto(buffer)  # type: ignore[attr-defined]  # a buffered reader
        self._traffic.arrived(size)
        return size

    def readline(self, limit: int = -1) -> bytes:
        line = self._body.readline(limit)
        self._traffic.arrived(len(line))
        return line

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of the file object
        return getattr(self._body, name)
