"""Client assertions: signed tokens that an app sends in place of a secret.

Sources: RFC 7523; Microsoft Learn, "Microsoft identity platform application authentication
certificate credentials", "Workload identity federation".
"""

from __future__ import annotations

import base64
import hashlib
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox.identity.errors import INVALID_CLIENT, INVALID_REQUEST, TokenError, require

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ["PS256", "RS256"]
FEDERATION_AUDIENCE = "api://AzureADTokenExchange"
# Tolerated clock skew in seconds.
LEEWAY = 300


@dataclass(frozen=True)
class Federation:
    """An issuer whose tokens an app may sign in with: a Kubernetes cluster, a pipeline."""

    client: str
    issuer: str
    subject: str
    public_key: str


@dataclass
class Assertions:
    """Certificates and federations of the apps, and the assertions that were used."""

    _certificates: dict[tuple[str, str], str] = field(default_factory=dict)
    _federations: list[Federation] = field(default_factory=list)
    _used: set[str] = field(default_factory=set)

    def register(self, client: str, certificate: str) -> str:
        """Register a certificate for an app.

        Args:
            client: Id of the app.
            certificate: The certificate in PEM.

        Returns:
            Thumbprint, as the app registration shows it.
        """
        content = ssl.PEM_cert_to_DER_cert(certificate)
        for digest in (hashlib.sha1, hashlib.sha256):
            self._certificates[client, digest(content).hexdigest().upper()] = certificate
        return hashlib.sha1(content).hexdigest().upper()  # noqa: S324  - what it is named by

    def trust(self, federation: Federation) -> None:
        """Trust another issuer's tokens as assertions of an app."""
        self._federations.append(federation)

    def check(self, form: Mapping[str, str], client: str, url: str) -> None:
        """Check that an assertion proves the identity of an app.

        Args:
            form: Fields of the token request.
            client: Id of the app, which the assertion must name.
            url: URL of the token endpoint, which must be the audience of the assertion.

        Raises:
            TokenError: The assertion is invalid, or its signer is not registered for the app.
        """
        require(form, "client_assertion_type", "client_assertion")
        if form["client_assertion_type"] != JWT_BEARER:
            text = "The value of 'client_assertion_type' is not supported."
            raise TokenError(INVALID_REQUEST, 9002313, text)
        assertion = form["client_assertion"]
        # Imported here: few runs need jwt, and its import takes as long as a small sandbox's start.
        import jwt  # noqa: PLC0415

        try:
            header = jwt.get_unverified_header(assertion)
            issuer = jwt.decode(assertion, options={"verify_signature": False}).get("iss")
        except jwt.InvalidTokenError:
            text = "The token cannot be read."
            raise _malformed(text) from None
        if header.get("alg") not in ALGORITHMS:
            text = "The algorithm of the signature is not supported."
            raise _malformed(text)
        if issuer == client:
            self._check_certificate(jwt, assertion, header, client, url)
        else:
            self._check_federation(jwt, assertion, issuer, client)

    def _check_certificate(
        self, jwt: ModuleType, assertion: str, header: dict[str, Any], client: str, url: str
    ) -> None:
        from cryptography import x509  # noqa: PLC0415  - as above

        thumbprint = _hexadecimal(str(header.get("x5t#S256") or header.get("x5t") or ""))
        pem = self._certificates.get((client, thumbprint))
        if pem is None:
            text = f"The key was not found., Thumbprint of key used by client: '{thumbprint}'"
            raise _bad_signature(text)
        certificate = x509.load_pem_x509_certificate(pem.encode())
        if certificate.not_valid_after_utc < datetime.now(UTC):
            text = f"The key used is expired., Thumbprint of key used by client: '{thumbprint}'"
            raise _bad_signature(text)
        claims = _claims(jwt, assertion, certificate.public_key(), url)
        if claims["sub"] != client:
            text = "Client assertion application identifier doesn't match 'client_id' parameter."
            raise TokenError(INVALID_CLIENT, 700021, text, 401)
        # Microsoft requires a new `jti` for each assertion, and does not document the code of the
        # error for a repeated one.
        if claims["jti"] in self._used:
            text = "The claim 'jti' was used before."
            raise _malformed(text)
        self._used.add(claims["jti"])

    def _check_federation(
        self, jwt: ModuleType, assertion: str, issuer: object, client: str
    ) -> None:
        of_app = [each for each in self._federations if each.client == client]
        found = next((each for each in of_app if each.issuer == issuer), None)
        if found is None:
            text = (
                "No matching federated identity record found for presented assertion issuer "
                f"'{issuer}'."
            )
            raise TokenError(INVALID_CLIENT, 700211, text, 401)
        claims = _claims(jwt, assertion, found.public_key, FEDERATION_AUDIENCE)
        if claims["sub"] != found.subject:
            text = (
                "No matching federated identity record found for presented assertion subject "
                f"'{claims['sub']}'."
            )
            raise TokenError(INVALID_CLIENT, 700213, text, 401)


def _claims(jwt: ModuleType, assertion: str, key: object, audience: str) -> dict[str, Any]:
    needed = ["aud", "exp", "iss", "sub"]
    needed += [] if audience == FEDERATION_AUDIENCE else ["jti", "nbf"]
    try:
        claims: dict[str, Any] = jwt.decode(
            assertion,
            key,
            algorithms=ALGORITHMS,
            audience=audience,
            leeway=LEEWAY,
            options={"require": needed},
        )
    except jwt.InvalidSignatureError:
        text = "The signature does not match."
        raise _bad_signature(text) from None
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
        text = "Client assertion is not within its valid time range."
        raise TokenError(INVALID_CLIENT, 700024, text, 401) from None
    except jwt.InvalidAudienceError:
        text = "Client assertion audience claim does not match Realm issuer."
        raise TokenError(INVALID_CLIENT, 700023, text, 401) from None
    except jwt.InvalidTokenError as error:
        text = f"{error}."
        raise _malformed(text) from None
    return claims


def _hexadecimal(encoded: str) -> str:
    """Return a thumbprint from a header (base64url without padding) in hexadecimal digits."""
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).hex().upper()
    except ValueError:
        return ""


def _malformed(reason: str) -> TokenError:
    return TokenError(INVALID_CLIENT, 50027, f"Invalid JWT token. {reason}", 401)


def _bad_signature(reason: str) -> TokenError:
    text = f"Client assertion contains an invalid signature. [Reason - {reason}]"
    return TokenError(INVALID_CLIENT, 700027, text, 401)
