"""Many requests in one: Dataverse's `$batch`, of requests that only read.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/execute-batch-operations-using-web-api
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from tap_dynamics365.errors import TransientServiceError
from tap_dynamics365.metadata.answers import SENSELESS
from tap_dynamics365.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import requests

    from tap_dynamics365.service import Service

MOST = 1_000
BOUNDARY = "batch_of_reads"
OK = re.compile(rb"HTTP/1\.1 200\b")


def read(service: Service, paths: Sequence[str]) -> Iterator[bytes | None]:
    """Fetch many answers.

    Args:
        service: A Dataverse.
        paths: What follows the service's address in each request.

    Yields:
        The answers in their order; None for each that the service refused.

    Raises:
        ServiceError: The service refused all of them, or its answer makes no sense.
    """
    root = urlsplit(service.url).path
    for start in range(0, len(paths), MOST):
        some = paths[start : start + MOST]
        batch = (f"multipart/mixed; boundary={BOUNDARY}", _written(root, some))
        yield from service.read(
            "$batch",
            partial(_parts, count=len(some)),
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


def _parts(response: requests.Response, count: int) -> list[bytes | None]:
    """Take the answers out of that to the batch (RFC 2046, section 5.1)."""
    kind = response.headers.get("Content-Type", "")
    found = re.search(r'boundary="?([^";,]+)', kind)
    boundary = b"--" + found[1].strip().encode() if found else b"--"
    pieces = response.content.split(boundary)[1:]
    try:
        answers = [_answer(piece) for piece in pieces if not piece.startswith(b"--")]
    except SENSELESS as error:
        msg = f"The service's answer to a batch is spoilt ({printable(str(error))})."
        raise TransientServiceError(msg, response) from error
    if len(answers) != count:
        msg = f"The service's answer to a batch has {len(answers)} of {count} answers in it."
        raise TransientServiceError(msg, response)
    return answers


def _answer(piece: bytes) -> bytes | None:
    _, _, answer = piece.partition(b"\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    if not OK.match(head.lstrip()):
        return None
    msgspec.json.decode(body, type=msgspec.Raw)
    body.decode()
    return body
