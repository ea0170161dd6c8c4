"""TLS certificates: the trusted certificate authorities, and advice for untrusted certificates."""

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

# Variables that name a file of authorities, which replaces the authorities that come with
# requests. The first variable that is set counts. The list is the same as that of requests:
# SSL_CERT_FILE is set for other programs, and its file may lack authorities that come with
# requests.
VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

# Verification errors of OpenSSL (x509_vfy.h).
NOT_YET_VALID, EXPIRED = 9, 10
OTHER_HOST: Container[int] = {62, 64}
UNKNOWN_ISSUER: Container[int] = {2, 18, 19, 20, 21, 27}
# Only reported with X509_V_FLAG_X509_STRICT, which Python sets from version 3.13 on.
STRICT: Container[int] = range(80, 94)


def verify() -> str | bool:
    """Find the certificate authorities to trust.

    Returns:
        The argument `verify` of requests: the file or folder that an environment variable names,
        else True.

    Raises:
        TransportError: The file contains no certificates.
    """
    variable, path = _named()
    if not path:
        return True
    _check(variable, path)
    return path


def describe(error: ssl.SSLCertVerificationError, host: str) -> str:
    """Describe why a certificate is not trusted, and what to do.

    Args:
        error: The error of OpenSSL.
        host: The host that presented the certificate.

    Returns:
        Two or more sentences.
    """
    reason = (error.verify_message or "no reason given").rstrip(".")
    return f"The certificate of {host} can't be trusted: {reason}. {_advice(error.verify_code)}"


def _named() -> tuple[str, str]:
    """Find the variable that names authorities, and its value; empty if none is set."""
    found = ((name, os.environ.get(name, "")) for name in VARIABLES)
    return next(((name, path) for name, path in found if path), ("", ""))


@cache
def _check(variable: str, path: str) -> None:
    """Raise if a file contains no certificates. OpenSSL reads a folder only when it verifies."""
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
        f"The file {path} {reason}: set the variable {variable} to a file with the certificates "
        "of the authorities to trust, or unset it to trust the public authorities."
    )
    raise TransportError(msg)


def _advice(code: int) -> str:
    """Say what to do about a verification error of OpenSSL."""
    if code in {NOT_YET_VALID, EXPIRED}:
        return (
            f"The clock of this machine says {datetime.now(UTC):%Y-%m-%d %H:%M} UTC: correct it "
            "if it is wrong. If it is right, ask the operator of the host, or of the proxy that "
            "inspects connections, to renew the certificate."
        )
    if code in OTHER_HOST:
        return (
            "Check the host name in service_url or token_uri. If it is right, a proxy or a name "
            "server leads to another host."
        )
    if code in UNKNOWN_ISSUER:
        variable, path = _named()
        if path:
            return (
                f"The trusted authorities are those in {path}, which the variable {variable} "
                "names: add the certificate of the issuer."
            )
        return (
            "If your company inspects connections or issues its own certificates, set the "
            "variable REQUESTS_CA_BUNDLE to a PEM file with the certificates of its authorities."
        )
    if code in STRICT:
        return (
            "From version 3.13 on, Python accepts only certificates that comply with RFC 5280: "
            "have the certificate, or that of its authority, reissued. Until then, run the tap "
            "with Python 3.12."
        )
    return (
        "Ask the operator of the host, or of the proxy that inspects connections, to check the "
        "certificate."
    )
