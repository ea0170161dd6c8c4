"""Batch requests: many GET requests in one `$batch`.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/execute-batch-operations-using-web-api
"""

from __future__ import annotations

import re
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_dynamics365.errors import Failure, ServiceError
from tap_dynamics365.http import refusal
from tap_dynamics365.http.json_text import readable
from tap_dynamics365.http.response import DECODE_ERRORS, JSON, classify
from tap_dynamics365.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import requests

    from tap_dynamics365.http.response import Errors
    from tap_dynamics365.odata.client import ODataClient

MAX_REQUESTS = 1_000
# Refusals of one request that do not fail the whole batch.
EXPECTED_REFUSALS = {Failure.DENIED, Failure.GONE, Failure.UNKNOWN_COLUMN}
BOUNDARY = "batch_of_reads"
STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3})\b")


def read(client: ODataClient, paths: Sequence[str]) -> Iterator[bytes | None]:
    """Send many GET requests.

    Args:
        client: The client of the service.
        paths: The path and query of each request, below the service root.

    Yields:
        The bodies of the responses in order; None for each request that was refused.

    Raises:
        ServiceError: The service refused the batch, or its response is not valid.
    """
    root = urlsplit(client.url).path
    for start in range(0, len(paths), MAX_REQUESTS):
        some = paths[start : start + MAX_REQUESTS]
        batch = (f"multipart/mixed; boundary={BOUNDARY}", _written(root, some))
        yield from client.read(
            "$batch",
            partial(_parts, errors=client.dialect.errors, count=len(some)),
            accept="multipart/mixed",
            prefer="odata.continue-on-error",
            batch=batch,
        )


def _written(root: str, paths: Sequence[str]) -> bytes:
    lines = []
    for path in paths:
        lines += [f"--{BOUNDARY}", "Content-Type: application/http"]
        lines += ["Content-Transfer-Encoding: binary", "", f"GET {root}{path} HTTP/1.1"]
        lines += ["Accept: application/json", "", ""]
    return "\r\n".join([*lines, f"--{BOUNDARY}--", ""]).encode()


def _parts(response: requests.Response, errors: Errors, count: int) -> list[bytes | None]:
    """Split a multipart response into the responses (RFC 2046, section 5.1)."""
    kind = response.headers.get("Content-Type", "")
    found = re.search(r'boundary="?([^";,]+)', kind)
    boundary = b"--" + found[1].strip().encode() if found else b"--"
    pieces = response.content.split(boundary)[1:]
    parts = [part for piece in pieces if (part := _part(piece)) is not None]
    if len(parts) != count:
        msg = f"The service's response to a batch holds {len(parts)} of {count} responses."
        raise ServiceError(msg, Failure.TRANSIENT, response=response)
    for status, body in parts:
        if status == HTTPStatus.OK:
            continue
        said = refusal.read(body, JSON)
        failure = classify(status, said, errors)
        if failure not in EXPECTED_REFUSALS:
            words = printable(said.cause or "no reason given")
            msg = f"The service answered {status} to a request in a batch: {words}"
            raise ServiceError(msg, failure, response=response)
    try:
        return [readable(body)[0] if status == HTTPStatus.OK else None for status, body in parts]
    except DECODE_ERRORS as error:
        msg = f"The service's response to a batch is damaged ({printable(str(error))})."
        raise ServiceError(msg, Failure.TRANSIENT, response=response) from error


def _part(piece: bytes) -> tuple[int, bytes] | None:
    """Return status and body of one response; None if the part is not a response."""
    _, _, answer = piece.partition(b"\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    found = STATUS.match(head.lstrip())
    return (int(found[1]), body) if found else None
