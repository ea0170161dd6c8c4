"""Client certificate: signs assertions, which replace a client secret."""

from __future__ import annotations

import base64
import re
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tap_dynamics365.auth.extras import missing
from tap_dynamics365.errors import SettingsError

try:
    import jwt
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificates
except ImportError:
    _error = missing("client_certificate", "certificate")
    raise _error from None

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as X509Certificate

# An assertion is valid from a little before now, because other clocks may be slow, until a little
# later. Hosts accept ten minutes at most.
SECONDS_BEFORE = 120
SECONDS_AFTER = 300

_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_PEM = "-----BEGIN "


@dataclass(frozen=True)
class Certificate:
    """A certificate with its private key.

    Args:
        key: The private key.
        thumbprint: The SHA-256 of the certificate, in base64url without padding.
    """

    key: RSAPrivateKey = field(repr=False)
    thumbprint: str

    def assertion(self, client_id: str, token_uri: str) -> str:
        """Sign an assertion for one use (RFC 7523, section 3).

        https://learn.microsoft.com/entra/identity-platform/certificate-credentials

        Args:
            client_id: The app that signs in.
            token_uri: The token endpoint.

        Returns:
            A JSON Web Token.
        """
        begin = int(time.time()) - SECONDS_BEFORE
        claims = {
            "aud": token_uri,
            "iss": client_id,
            "sub": client_id,
            "jti": str(uuid.uuid4()),
            "iat": begin,
            "nbf": begin,
            "exp": begin + SECONDS_BEFORE + SECONDS_AFTER,
        }
        headers = {"typ": "JWT", "x5t#S256": self.thumbprint}
        return jwt.encode(claims, self.key, algorithm="PS256", headers=headers)


def load(given: str, password: str | None) -> Certificate:
    """Load a certificate and its key.

    Args:
        given: The path of a PEM file with both, or its text.
        password: The passphrase of the key, if it has one.

    Returns:
        The certificate.

    Raises:
        SettingsError: The file does not exist, or its content is missing or can't be used.
    """
    pem = _pem(given)
    key = _load_key(pem, password)
    blocks = _CERTIFICATE.findall(pem)
    if not blocks:
        msg = (
            "client_certificate contains no certificate: add the block BEGIN CERTIFICATE next to "
            "the private key."
        )
        raise SettingsError(msg)
    try:
        certificates = load_pem_x509_certificates(b"\n".join(blocks))
    except ValueError:
        msg = "The certificate in client_certificate can't be read: it is damaged."
        raise SettingsError(msg) from None
    for certificate in certificates:
        if certificate.public_key() == key.public_key():
            return Certificate(key, _thumbprint(certificate))
    msg = "The certificate and the private key in client_certificate do not belong together."
    raise SettingsError(msg)


def _pem(given: str) -> bytes:
    """Return the PEM text, which is given itself or as the path of a file."""
    if _PEM in given:
        # Files of environment variables write a line break as `\n`, two characters.
        return given.replace("\\n", "\n").encode()
    try:
        content = Path(given).expanduser().read_bytes()
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no such path"
        msg = f"client_certificate is neither a PEM text nor a file that can be read ({why})."
        raise SettingsError(msg) from None
    if _PEM.encode() not in content:
        msg = (
            "The file in client_certificate is not in PEM format: convert it, for instance with "
            "openssl pkcs12 -in certificate.pfx -out certificate.pem."
        )
        raise SettingsError(msg)
    return content


def _load_key(pem: bytes, password: str | None) -> RSAPrivateKey:
    """Load the private key."""
    block = _KEY.search(pem)
    if block is None:
        msg = (
            "client_certificate contains no private key: add the block BEGIN PRIVATE KEY next to "
            "the certificate."
        )
        raise SettingsError(msg)
    is_encrypted = b"ENCRYPTED" in block[0]
    if is_encrypted and not password:
        msg = (
            "The private key in client_certificate has a passphrase: set it in "
            "client_certificate_password."
        )
        raise SettingsError(msg)
    try:
        key = load_pem_private_key(
            block[0], password.encode() if is_encrypted and password else None
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        msg = (
            "client_certificate_password is not the passphrase of the private key in "
            "client_certificate."
            if is_encrypted
            else "The private key in client_certificate can't be read: it is damaged."
        )
        raise SettingsError(msg) from None
    if not isinstance(key, RSAPrivateKey):
        msg = (
            "The private key in client_certificate is not an RSA key. Microsoft Entra ID accepts "
            "only RSA keys."
        )
        raise SettingsError(msg)
    return key


def _thumbprint(certificate: X509Certificate) -> str:
    """Return the thumbprint for the header `x5t#S256` (RFC 7515, section 4.1.8)."""
    digest = certificate.fingerprint(hashes.SHA256())
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
