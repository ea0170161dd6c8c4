"""Loaded by Python before a peer: hosts that it has built in are led to the sandbox.

No file of a peer is changed. The sandbox speaks plain HTTP, so nobody pays for encryption.
"""

import os
from urllib.parse import urlsplit, urlunsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

HOSTS = {"login.microsoftonline.com", "sandbox.crm.dynamics.com"}
_send = HTTPAdapter.send


def _led(
    self: HTTPAdapter, request: PreparedRequest, *arguments: object, **options: object
) -> Response:
    parts = urlsplit(request.url or "")
    if parts.hostname in HOSTS:
        sandbox = urlsplit(os.environ["SANDBOX_URL"])
        request.url = urlunsplit(parts._replace(scheme=sandbox.scheme, netloc=sandbox.netloc))
    return _send(self, request, *arguments, **options)  # type: ignore[arg-type]


HTTPAdapter.send = _led  # type: ignore[method-assign]
