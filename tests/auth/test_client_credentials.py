"""The client-credentials grant: an app signs in as itself."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tap_dynamics365.errors import SettingsError
from tests.auth.endpoint import SECRETS, authenticator_for, authorization
from tests.servers.certificate import make

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import KeySerializationEncryption

    from tests.auth.endpoint import TokenEndpoint
    from tests.servers.certificate import Certificate

SECRET = SECRETS["client_secret"]
PASSPHRASE = "invented passphrase ä"  # noqa: S105
RESOURCE = "https://org.api.crm.dynamics.com"


def form(endpoint: TokenEndpoint, **settings: str | None) -> dict[str, str]:
    """Sign in and return the fields of the one request."""
    endpoint.gives("one", expires_in=3599)
    assert (
        authorization(authenticator_for(endpoint, refresh_token=None, **settings)) == "Bearer one"
    )
    (fields,) = endpoint.forms
    return {name: " ".join(values) for name, values in fields.items()}


def test_client_secret_is_sent_with_the_scope_of_the_service(endpoint: TokenEndpoint) -> None:
    assert form(endpoint, client_secret=SECRET) == {
        "at": "/common/oauth2/v2.0/token",
        "grant_type": "client_credentials",
        "client_id": "the-client",
        "client_secret": SECRET,
        "scope": f"{RESOURCE}/.default",
    }


@pytest.mark.parametrize(
    ("url", "resource"),
    [
        ("https://ORG.api.crm.dynamics.com/api/data/v9.2/", RESOURCE),
        ("https://org.api.crm.dynamics.com:443/api/data/v9.2/", RESOURCE),
        ("https://Org.Operations.dynamics.com/data", "https://org.operations.dynamics.com"),
        ("HTTPS://org.operations.dynamics.com/Data//", "https://org.operations.dynamics.com"),
    ],
)
def test_scope_of_a_service_url_in_another_spelling_is_that_of_its_origin(
    endpoint: TokenEndpoint, url: str, resource: str
) -> None:
    sent_form = form(endpoint, client_secret=SECRET, service_url=url)
    assert sent_form["scope"] == f"{resource}/.default"


def test_scope_in_the_settings_replaces_the_scope_of_the_service(endpoint: TokenEndpoint) -> None:
    assert form(endpoint, client_secret=SECRET, scope="api://x/.default")["scope"] == (
        "api://x/.default"
    )


def test_token_endpoint_of_version_1_is_sent_the_resource(endpoint: TokenEndpoint) -> None:
    older = f"POST {endpoint.url.replace('/v2.0', '')}"
    assert form(endpoint, client_secret=SECRET, token_uri=older) == {
        "at": "/common/oauth2/token",
        "grant_type": "client_credentials",
        "client_id": "the-client",
        "client_secret": SECRET,
        "resource": RESOURCE,
    }


def test_access_token_beside_a_client_secret_is_not_used(endpoint: TokenEndpoint) -> None:
    sent_form = form(endpoint, client_secret=SECRET, access_token="mine")  # noqa: S106
    assert sent_form["grant_type"] == "client_credentials"


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    """A certificate with its key."""
    return make()


def verified(
    sent_form: dict[str, str], certificate: Certificate, audience: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Verify the signature of an assertion as a host does, and return header and claims."""
    assertion = sent_form["client_assertion"]
    assert sent_form["client_assertion_type"] == (
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    )
    key = certificate.certificate.public_key()
    assert isinstance(key, RSAPublicKey)
    claims = jwt.decode(assertion, key, algorithms=["PS256"], audience=audience)
    return jwt.get_unverified_header(assertion), claims


def test_certificate_signs_an_assertion_that_expires_within_ten_minutes(
    endpoint: TokenEndpoint, certificate: Certificate
) -> None:
    sent_form = form(endpoint, client_certificate=certificate.with_key())
    header, claims = verified(sent_form, certificate, endpoint.url)
    digest = certificate.certificate.fingerprint(SHA256())
    assert header == {
        "alg": "PS256",
        "typ": "JWT",
        "x5t#S256": base64.urlsafe_b64encode(digest).decode().rstrip("="),
    }
    assert (claims["iss"], claims["sub"]) == ("the-client", "the-client")
    assert claims["nbf"] == claims["iat"] < time.time() < claims["exp"]
    assert claims["exp"] - claims["nbf"] <= 600
    assert sent_form["scope"] == f"{RESOURCE}/.default"
    assert "client_secret" not in sent_form


def test_assertion_is_new_for_each_token(endpoint: TokenEndpoint, certificate: Certificate) -> None:
    endpoint.gives("one")
    auth = authenticator_for(
        endpoint, refresh_token=None, client_certificate=certificate.with_key()
    )
    for _ in range(3):
        authorization(auth)
        auth.renew(float("inf"))
    assert len({fields["client_assertion"][0] for fields in endpoint.forms}) == 3


def test_certificate_beside_a_client_secret_takes_precedence(
    endpoint: TokenEndpoint, certificate: Certificate
) -> None:
    sent_form = form(endpoint, client_secret=SECRET, client_certificate=certificate.with_key())
    assert "client_secret" not in sent_form
    assert verified(sent_form, certificate, endpoint.url)


def test_refresh_token_with_a_certificate_is_sent_with_an_assertion(
    endpoint: TokenEndpoint, certificate: Certificate
) -> None:
    endpoint.gives("one")
    assert (
        authorization(authenticator_for(endpoint, client_certificate=certificate.with_key()))
        == "Bearer one"
    )
    (fields,) = endpoint.forms
    assert fields["grant_type"] == ["refresh_token"]
    assert verified({name: value[0] for name, value in fields.items()}, certificate, endpoint.url)


def written_to(folder: Path, text: str) -> str:
    """Write a file and return its path."""
    file = folder / "certificate.pem"
    file.write_text(text)
    return str(file)


WAYS: dict[str, Callable[[Certificate, Path], dict[str, str]]] = {
    "text": lambda own, _: {"client_certificate": own.with_key()},
    "text in one line": lambda own, _: {"client_certificate": own.with_key().replace("\n", "\\n")},
    "file": lambda own, folder: {"client_certificate": written_to(folder, own.with_key())},
    "certificate first": lambda own, _: {
        "client_certificate": own.pem + own.with_key().removesuffix(own.pem)
    },
    "with others": lambda own, _: {"client_certificate": make().pem + own.with_key()},
    "with a passphrase": lambda own, _: {
        "client_certificate": own.with_key(PASSPHRASE),
        "client_certificate_password": PASSPHRASE,
    },
    "with a passphrase for a key without one": lambda own, _: {
        "client_certificate": own.with_key(),
        "client_certificate_password": PASSPHRASE,
    },
    "in the older format": lambda own, _: {
        "client_certificate": own.pem + traditional(own.key, NoEncryption())
    },
    "in the older format with a passphrase": lambda own, _: {
        "client_certificate": own.pem
        + traditional(own.key, BestAvailableEncryption(PASSPHRASE.encode())),
        "client_certificate_password": PASSPHRASE,
    },
}


def traditional(key: RSAPrivateKey, lock: KeySerializationEncryption) -> str:
    """Encode a key in the traditional format of OpenSSL."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, lock).decode()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_certificate_in_each_accepted_form_signs_the_assertion(
    endpoint: TokenEndpoint,
    certificate: Certificate,
    tmp_path: Path,
    way: Callable[[Certificate, Path], dict[str, str]],
) -> None:
    sent_form = form(endpoint, **way(certificate, tmp_path))
    assert verified(sent_form, certificate, endpoint.url)


def elliptic() -> str:
    """Make a key that is not an RSA key."""
    key = generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


DAMAGED = "-----BEGIN {0}-----\nAAAA\n-----END {0}-----\n"
UNUSABLE: dict[str, tuple[Callable[[Certificate, Path], dict[str, str]], str]] = {
    "no file": (lambda *_: {"client_certificate": "/nowhere/invented.pem"}, "No such file"),
    "a folder": (lambda _, folder: {"client_certificate": str(folder)}, "directory"),
    "no path": (lambda *_: {"client_certificate": "invented\0.pem"}, "no such path"),
    "another format": (
        lambda _, folder: {"client_certificate": written_to(folder, "0\x82")},
        "openssl pkcs12",
    ),
    "no key": (lambda own, _: {"client_certificate": own.pem}, "no private key"),
    "no certificate": (
        lambda own, _: {"client_certificate": own.with_key().removesuffix(own.pem)},
        "no certificate",
    ),
    "no passphrase": (
        lambda own, _: {"client_certificate": own.with_key(PASSPHRASE)},
        "has a passphrase",
    ),
    "a wrong passphrase": (
        lambda own, _: {
            "client_certificate": own.with_key(PASSPHRASE),
            "client_certificate_password": f"not {PASSPHRASE}",
        },
        "client_certificate_password is not",
    ),
    "a damaged key": (
        lambda own, _: {"client_certificate": DAMAGED.format("PRIVATE KEY") + own.pem},
        "key in client_certificate can't be read",
    ),
    "a damaged certificate": (
        lambda own, _: {
            "client_certificate": own.with_key().removesuffix(own.pem)
            + DAMAGED.format("CERTIFICATE")
        },
        "certificate in client_certificate can't be read",
    ),
    "another key": (
        lambda own, _: {"client_certificate": own.pem + traditional(make().key, NoEncryption())},
        "do not belong together",
    ),
    "no RSA key": (
        lambda own, _: {"client_certificate": elliptic() + own.pem},
        "not an RSA key",
    ),
}


@pytest.mark.parametrize(("way", "words"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_certificate_that_is_unusable_is_refused_before_any_request(
    endpoint: TokenEndpoint,
    certificate: Certificate,
    tmp_path: Path,
    way: Callable[[Certificate, Path], dict[str, str]],
    words: str,
) -> None:
    given = way(certificate, tmp_path)
    with pytest.raises(SettingsError) as caught:
        authenticator_for(endpoint, refresh_token=None, **given)
    message = caught.value.message
    assert words in message
    assert "client_certificate" in message
    assert "\n" not in message
    for value in given.values():
        assert value not in message
    assert endpoint.forms == []
