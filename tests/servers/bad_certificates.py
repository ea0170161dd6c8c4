"""Invalid certificates for the argument `issue` of `tests.servers.tls.running`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.servers.tls import NAMES

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

DAY = timedelta(days=1)


def expired(context: ssl.SSLContext) -> bytes:
    """Issue a certificate that expired yesterday."""
    authority = trustme.CA()
    now = datetime.now(UTC)
    leaf = authority.issue_cert(*NAMES, not_before=now - 9 * DAY, not_after=now - DAY)
    leaf.configure_cert(context)
    return authority.cert_pem.bytes()


def not_yet_valid(context: ssl.SSLContext) -> bytes:
    """Issue a certificate that is valid from tomorrow."""
    authority = trustme.CA()
    now = datetime.now(UTC)
    leaf = authority.issue_cert(*NAMES, not_before=now + DAY, not_after=now + 9 * DAY)
    leaf.configure_cert(context)
    return authority.cert_pem.bytes()


def of_another_host(context: ssl.SSLContext) -> bytes:
    """Issue a certificate for another host name."""
    authority = trustme.CA()
    authority.issue_cert("other.invented.example").configure_cert(context)
    return authority.cert_pem.bytes()


def self_signed(context: ssl.SSLContext) -> bytes:
    """Issue a self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    extensions = [(x509.SubjectAlternativeName(names), False)]
    return _configure(context, key, [_certificate("localhost", "localhost", key, key, extensions)])


def without_authority_key_identifier(context: ssl.SSLContext) -> bytes:
    """Issue a certificate without the identifier of the key that signed it."""
    return _signed(context, critical=True, identified=False)


def with_basic_constraints_not_critical(context: ssl.SSLContext) -> bytes:
    """Issue a certificate of an authority whose basic constraints are not marked critical."""
    return _signed(context, critical=False, identified=True)


def _signed(context: ssl.SSLContext, *, critical: bool, identified: bool) -> bytes:
    root, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    of_root: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=True, path_length=None), critical),
        (x509.SubjectKeyIdentifier.from_public_key(root.public_key()), False),
        (usage, True),
    ]
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    of_leaf: list[tuple[x509.ExtensionType, bool]] = [(x509.SubjectAlternativeName(names), False)]
    if identified:
        by = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
        of_leaf.append((by, False))
    authority = _certificate("authority", "authority", root, root, of_root)
    leaf = _certificate("localhost", "authority", key, root, of_leaf)
    _configure(context, key, [leaf, authority])
    return authority.public_bytes(Encoding.PEM)


def _certificate(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    signed_with: ec.EllipticCurvePrivateKey,
    extensions: Iterable[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signed_with, hashes.SHA256())


def _configure(
    context: ssl.SSLContext, key: ec.EllipticCurvePrivateKey, chain: list[x509.Certificate]
) -> bytes:
    pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain)
    own = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with TemporaryDirectory() as folder:
        file = Path(folder, "chain.pem")
        file.write_bytes(own + pem)
        context.load_cert_chain(file)
    return pem
