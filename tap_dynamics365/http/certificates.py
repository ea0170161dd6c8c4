"""TLS certificates: which authorities are trusted, and what to do where one is not."""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tap_dynamics365.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Container

# Variables that name a file of authorities, in the place of those that come with requests; the
# first that is set counts. As requests has it: SSL_CERT_FILE is set for other programs, and would
# leave out the authorities that come with requests.
VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

# What OpenSSL finds at fault, by its own codes (x509_vfy.h).
NOT_YET_VALID, EXPIRED = 9, 10
OTHER_HOST: Container[int] = {62, 64}
UNKNOWN_ISSUER: Container[int] = {2, 18, 19, 20, 21, 27}
# Found with X509_V_FLAG_X509_STRICT alone, which Python sets from 3.13 on.
STRICT: Container[int] = range(80, 94)


def trusted() -> str | bool:
    """Tell by which authorities certificates are verified, as requests wants it.

    Returns:
        The file or folder that a variable of the environment names; else True.

    Raises:
        TransportError: There are no certificates in it.
    """
    variable, path = _named()
    if not path:
        return True
    _check(variable, path)
    return path


def untrusted(error: ssl.SSLCertVerificationError, place: str) -> str:
    """Tell why a certificate is not trusted, and what to do.

    Args:
        error: What OpenSSL says.
        place: Whose certificate it is.

    Returns:
        One sentence or two.
    """
    reason = (error.verify_message or "no reason given").rstrip(".")
    return f"The certificate of {place} can't be trusted: {reason}. {_advice(error.verify_code)}"


def _named() -> tuple[str, str]:
    """Find the variable that names authorities, and what it names; nothing if there is none."""
    found = ((name, os.environ.get(name, "")) for name in VARIABLES)
    return next(((name, path) for name, path in found if path), ("", ""))


@cache
def _check(variable: str, path: str) -> None:
    """Raise if a file is none of certificates; a folder is looked into when one is verified."""
    try:
        if Path(path).is_dir():
            return
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        reason = "holds no certificates in PEM format"
    except (OSError, ValueError) as error:
        reason = f"can't be read ({getattr(error, 'strerror', None) or 'no such path'})"
    else:
        return
    msg = (
        f"The file {path} {reason}: the variable {variable} has to name one with the certificates "
        "of authorities to trust, or has to be unset to trust those that everybody does."
    )
    raise TransportError(msg)


def _advice(code: int) -> str:
    """Tell what to do about a fault that OpenSSL found."""
    if code in {NOT_YET_VALID, EXPIRED}:
        return (
            f"The clock of this machine says {datetime.now(UTC):%Y-%m-%d %H:%M} UTC: set it if "
            "it is wrong. If it is right, whoever runs the host, or the proxy that inspects "
            "connections, has to renew the certificate."
        )
    if code in OTHER_HOST:
        return (
            "Check the name of the host in service_url or token_uri; if it is right, a proxy or "
            "a name server leads to another host."
        )
    if code in UNKNOWN_ISSUER:
        variable, path = _named()
        if path:
            return (
                f"The authorities to trust are those in {path}, which the variable {variable} "
                "names: add the certificate of this one's issuer."
            )
        return (
            "If your company inspects connections or issues certificates of its own, let the "
            "variable REQUESTS_CA_BUNDLE name a PEM file with the certificates of its "
            "authorities."
        )
    if code in STRICT:
        return (
            "Python accepts such certificates up to version 3.12, and from 3.13 on only what RFC "
            "5280 allows: have the certificate, or that of its authority, issued anew, and run "
            "the tap with Python 3.12 until then."
        )
    return (
        "Have whoever runs the host, or the proxy that inspects connections, look at the "
        "certificate."
    )
