"""Redirection of a peer's built-in hosts to the sandbox; Python imports it at the start.

No file of a peer is changed. The sandbox speaks plain HTTP, so no program pays for encryption.
"""

import os
from urllib.parse import urlsplit, urlunsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

HOSTS = {"login.microsoftonline.com", "sandbox.crm.dynamics.com"}
_send = HTTPAdapter.send


def _redirected(
    self: HTTPAdapter, request: PreparedRequest, *arguments: object, **options: object
) -> Response:
    parts = urlsplit(request.url or "")
    if parts.hostname in HOSTS:
        sandbox = urlsplit(os.environ["SANDBOX_URL"])
        request.url = urlunsplit(parts._replace(scheme=sandbox.scheme, netloc=sandbox.netloc))
    return _send(self, request, *arguments, **options)  # type: ignore[arg-type]


HTTPAdapter.send = _redirected  # type: ignore[method-assign]
