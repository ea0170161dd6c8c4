"""Token introspection: asks another authority whether one of its tokens is active (RFC 7662)."""

from __future__ import annotations

import base64
import json
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

SECONDS = 30


def is_active(address: str, token: str) -> bool:
    """Return whether another authority reports a token as active.

    Args:
        address: Introspection endpoint, with credentials: `http://name:password@host:port/path`.
        token: The access token.
    """
    parts = urlsplit(address)
    credentials = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
    headers = {
        "Authorization": f"Basic {credentials}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)
    try:
        connection.request("POST", parts.path, urlencode({"token": token}), headers)
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return answer.get("active") is True
