"""Batches: the format of `$batch` (Microsoft Learn, "Execute batch operations")."""

from __future__ import annotations

import re
import uuid
from typing import NamedTuple
from urllib.parse import urlsplit

from sandbox.faults.errors import ServiceError, bad_query

MOST_PARTS = 1_000
LONGEST_URL = 65_536


class Part(NamedTuple):
    """One request of a batch."""

    method: str
    url: str
    headers: dict[str, str]


class Result(NamedTuple):
    """One response of a batch."""

    status: int
    headers: dict[str, str]
    body: bytes


def read(content_type: str, body: bytes) -> list[Part]:
    """Parse the requests of a batch.

    Args:
        content_type: Media type with the boundary.
        body: Body in multipart/mixed, with CRLF at the end of each line.

    Raises:
        ServiceError: The batch is invalid.
    """
    match = re.search(r'boundary="?([^";]+)"?', content_type)
    if not match:
        message = "The batch request must have a Content-Type header with a boundary."
        raise bad_query(message)
    text = body.decode()
    if re.search(r"(?<!\r)\n", text):
        message = "Invalid multipart batch: lines must end with CRLF."
        raise bad_query(message)
    pieces = text.split(f"--{match[1]}")[1:]
    parts = [_part(piece) for piece in pieces if not piece.startswith("--") and piece.strip()]
    if len(parts) > MOST_PARTS:
        message = (
            "The current batch message contains too many parts. A maximum number of '1000' query "
            "operations and change sets can exist in a batch message."
        )
        raise ServiceError(400, "0x80060888", message)
    return parts


def _part(piece: str) -> Part:
    head, _, request = piece.lstrip("\r\n").partition("\r\n\r\n")
    if "multipart/mixed" in head.lower():
        message = "Change sets and nested batches are not supported by the sandbox."
        raise bad_query(message)
    line, _, rest = request.lstrip("\r\n").partition("\r\n")
    words = line.split(" ")
    if len(words) < 2:  # noqa: PLR2004  - method and URL
        message = f"Invalid request line in a batch: '{line}'."
        raise bad_query(message)
    if len(line) > LONGEST_URL:
        raise ServiceError(414, "0x80060888", "The request URI is too long.")
    pairs = (header.partition(":") for header in rest.split("\r\n") if ":" in header)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Part(words[0], words[1], headers)


def relative(url: str) -> tuple[str, str]:
    """The path below the service root, and the query, of a URL in a batch."""
    split = urlsplit(url)
    return re.sub(r"^/?api/data/v[\d.]+/", "", split.path), split.query


def write(results: list[Result]) -> tuple[str, bytes]:
    """Return media type and body of the response."""
    boundary = f"batchresponse_{uuid.uuid4()}"
    lines = []
    for result in results:
        lines += [f"--{boundary}", "Content-Type: application/http"]
        lines += ["Content-Transfer-Encoding: binary", ""]
        lines += [f"HTTP/1.1 {result.status} {'OK' if result.status < 400 else 'Error'}"]  # noqa: PLR2004  - the first error status
        lines += [f"{name}: {value}" for name, value in result.headers.items()]
        lines += ["", result.body.decode()]
    lines += [f"--{boundary}--", ""]
    return f"multipart/mixed; boundary={boundary}", "\r\n".join(lines).encode()
