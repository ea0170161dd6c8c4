"""Proxies: checks a proxy that the environment names, and explains its errors."""

from __future__ import annotations

import os
import re
from functools import cache
from http import HTTPStatus
from importlib.util import find_spec

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from tap_dynamics365.errors import TransportError
from tap_dynamics365.redaction import printable

SOCKS = {"socks4", "socks4a", "socks5", "socks5h"}

AUTHENTICATION_REQUIRED = (
    "The proxy refused the request (HTTP 407): it requires a user and a password. Check "
    "proxy_user and proxy_password, which belong to proxy_host."
)
NO_TLS = (
    "The proxy does not speak TLS: in the variable HTTPS_PROXY, begin its address with http://. "
    "That is also right for requests to https:// hosts."
)

# The message of http.client when a proxy does not open a tunnel.
_NO_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3}) ?([^'\")]*)")
_TRANSIENT_STATUSES = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


@cache
def check(proxy: str, scheme: str) -> None:
    """Raise if a proxy that the environment names can't be used.

    Args:
        proxy: The address of the proxy. The error does not repeat it, because it may contain a
            password.
        scheme: The scheme of the requests that go through the proxy.

    Raises:
        TransportError: The text is not the address of a proxy, or the package for this kind of
            proxy is not installed.
    """
    try:
        parts = parse_url(proxy if "://" in proxy else f"http://{proxy}")
    except LocationParseError:
        parts = None
    if parts is not None and parts.scheme in SOCKS and parts.host:
        if find_spec("socks"):
            return
        msg = (
            f"{_source(proxy, scheme)} names a SOCKS proxy, which needs a package that is not "
            "installed: run pip install PySocks where the tap is installed, or name an HTTP proxy."
        )
        raise TransportError(msg)
    usable = parts is not None and parts.scheme in {"http", "https"}
    if parts is None or not usable or not parts.host or parts.port == 0:
        msg = (
            f"{_source(proxy, scheme)} does not name a proxy as an address such as "
            "http://proxy.example:8080. In a user or password, percent-encode all characters other "
            "than letters, digits and -._~, such as %40 for @."
        )
        raise TransportError(msg)


def reason(error: BaseException, host: str) -> str:
    """Describe why a proxy did not forward a request.

    Args:
        error: The exception of the request.
        host: The host of the request.

    Returns:
        One sentence.
    """
    if refused := _NO_TUNNEL.search(str(error)):
        words = printable(refused[2])
        return f"The proxy does not connect to {host} (HTTP {refused[1]}{words and f' {words}'})."
    return (
        "The proxy can't be reached: check proxy_host and proxy_port or, if they are not set, the "
        "variable HTTPS_PROXY."
    )


def permanent_refusal(error: BaseException, host: str) -> str:
    """Describe why a proxy refuses to connect to a host, if a retry does not help.

    Args:
        error: The exception of the request.
        host: The host of the request.

    Returns:
        One or two sentences; empty if the request is to be retried.
    """
    refused = _NO_TUNNEL.search(str(error))
    status = int(refused[1]) if refused else 0
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return AUTHENTICATION_REQUIRED
    if not HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ""
    if status in _TRANSIENT_STATUSES:
        return ""
    return f"{reason(error, host)} Have the proxy allow requests to this host."


def _source(proxy: str, scheme: str) -> str:
    """Find the environment variable that names a proxy."""
    names = (f"{scheme}_proxy", "all_proxy")
    for name in (*names, *(name.upper() for name in names)):
        if os.environ.get(name) == proxy:
            return f"The variable {name}"
    return "The proxy setting of the system"
