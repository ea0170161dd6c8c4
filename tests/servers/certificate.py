"""Self-signed certificates, as users create them for an app registration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key.

    Args:
        key: The private key.
        certificate: The certificate.
    """

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        """The certificate without its key, as it is registered."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def with_key(self, password: str = "") -> str:
        """Encode key and certificate as the tap reads them; a password encrypts the key."""
        lock = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
        return key.decode() + self.pem


def make(*, days: int = 1) -> Certificate:
    """Create a certificate.

    Args:
        days: Days until it expires; if negative, days since it expired.
    """
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "invented")])
    ends = datetime.now(UTC) + timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - timedelta(days=9))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    return Certificate(key, certificate)
