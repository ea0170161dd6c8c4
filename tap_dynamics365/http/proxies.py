"""Proxies of the environment: whether one can be used, and what it says of a tunnel."""

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

WANTS_A_USER = (
    "The proxy refused the request (HTTP 407): it asks for a user and a password. Check "
    "proxy_user and proxy_password, which go with proxy_host."
)
NO_TLS = (
    "The proxy does not speak TLS: let its address in the variable HTTPS_PROXY begin with "
    "http://, which is right for requests to https:// hosts too."
)

# What http.client says of a proxy that does not open a tunnel.
_NO_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3}) ?([^'\")]*)")
# Answers of a proxy that may be others when it is asked again.
_FOR_NOW = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


@cache
def check(proxy: str, scheme: str) -> None:
    """Raise if a proxy that the environment names can't be used.

    Args:
        proxy: What is named. It is never told, for a password may be part of it.
        scheme: The scheme of the requests that go through it.

    Raises:
        TransportError: It is no address, or one of a kind that nothing here can use.
    """
    try:
        parts = parse_url(proxy if "://" in proxy else f"http://{proxy}")
    except LocationParseError:
        parts = None
    if parts is not None and parts.scheme in SOCKS and parts.host:
        if find_spec("socks"):
            return
        msg = (
            f"{_source(proxy, scheme)} names a SOCKS proxy, for which a package is not installed: "
            "pip install PySocks, where the tap is installed, or name an HTTP proxy."
        )
        raise TransportError(msg)
    usable = parts is not None and parts.scheme in {"http", "https"}
    if parts is None or not usable or not parts.host or parts.port == 0:
        msg = (
            f"{_source(proxy, scheme)} does not name a proxy as an address such as "
            "http://proxy.example:8080; in a user or password, other characters than letters, "
            "digits and -._~ are written as in %40 for @."
        )
        raise TransportError(msg)


def reason(error: BaseException, host: str) -> str:
    """Tell in a few words why there was no answer through a proxy.

    Args:
        error: What was raised.
        host: The host of the request.

    Returns:
        One sentence.
    """
    if refused := _NO_TUNNEL.search(str(error)):
        words = printable(refused[2])
        return f"The proxy does not connect to {host} (HTTP {refused[1]}{words and f' {words}'})."
    return (
        "The proxy can't be reached: check proxy_host and proxy_port, or the variable "
        "HTTPS_PROXY where they are not set."
    )


def refusal(error: BaseException, host: str) -> str:
    """Tell why a proxy does not connect to a host, if it would refuse again.

    Args:
        error: What was raised.
        host: The host of the request.

    Returns:
        One sentence or two; nothing if the request is better repeated.
    """
    refused = _NO_TUNNEL.search(str(error))
    status = int(refused[1]) if refused else 0
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return WANTS_A_USER
    if not HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ""
    if status in _FOR_NOW:
        return ""
    return f"{reason(error, host)} Have it let requests to this host through."


def _source(proxy: str, scheme: str) -> str:
    """Tell where a proxy is named."""
    names = (f"{scheme}_proxy", "all_proxy")
    for name in (*names, *(name.upper() for name in names)):
        if os.environ.get(name) == proxy:
            return f"The variable {name}"
    return "The system's setting for a proxy"
