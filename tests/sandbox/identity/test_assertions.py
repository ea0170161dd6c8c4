"""Client assertions: certificates, and trusted issuers."""

from __future__ import annotations

import base64
import time
import uuid
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization

from tests.sandbox.api import Api
from tests.servers.certificate import Certificate, make

if TYPE_CHECKING:
    import requests

    from sandbox.client import Sandbox

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CLUSTER = "https://invented-cluster.example"
SUBJECT = "system:serviceaccount:invented:tap"


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    """A certificate; each test registers it anew."""
    return make()


def thumbprint(certificate: Certificate, algorithm: hashes.HashAlgorithm) -> str:
    """The thumbprint as it stands in a header."""
    digest = certificate.certificate.fingerprint(algorithm)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def assertion(
    api: Api, certificate: Certificate, *, algorithm: str = "PS256", **changes: Any
) -> str:
    """Sign an assertion; a change to None leaves the claim out."""
    client, now = api.sandbox.settings["client_id"], int(time.time())
    header = changes.pop("header", {"x5t#S256": thumbprint(certificate, hashes.SHA256())})
    claims: dict[str, Any] = {
        "aud": api.sandbox.settings["token_uri"],
        "iss": client,
        "sub": client,
        "jti": str(uuid.uuid4()),
        "nbf": now,
        "exp": now + 600,
        **changes,
    }
    sent = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(sent, certificate.key, algorithm, header)


def sign_in(api: Api, text: str, **changes: str | None) -> requests.Response:
    """Ask for a token of the app's own."""
    form: dict[str, str | None] = {
        "grant_type": "client_credentials",
        "scope": f"{api.sandbox.url}/.default",
        "client_assertion_type": TYPE,
        "client_assertion": text,
        "client_secret": None,
        "refresh_token": None,
        **changes,
    }
    return api.token(**form)


@pytest.mark.parametrize("algorithm", ["PS256", "RS256"])
def test_assertion_of_a_certificate_signs_in(
    api: Api, certificate: Certificate, algorithm: str
) -> None:
    shown = api.sandbox.register_certificate(certificate.pem)
    sha1 = hashes.SHA1()  # noqa: S303 - what it is named by
    assert shown == certificate.certificate.fingerprint(sha1).hex().upper()
    old = {"x5t": thumbprint(certificate, sha1)}
    for more in ({}, {"header": old}):
        response = sign_in(api, assertion(api, certificate, algorithm=algorithm, **more))
        assert "refresh_token" not in response.json()
        api.session.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
        assert api.get("WhoAmI").status_code == 200


def test_assertion_replaces_the_secret_in_every_grant(api: Api, certificate: Certificate) -> None:
    api.sandbox.register_certificate(certificate.pem)
    token = api.sandbox.settings["refresh_token"]
    more = {"grant_type": "refresh_token", "refresh_token": token}
    assert "refresh_token" in sign_in(api, assertion(api, certificate), **more).json()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "https://elsewhere.example/token"}, 700023),
        ({"sub": "another"}, 700021),
        ({"exp": 1}, 700024),
        ({"nbf": 4_102_444_800, "exp": 4_102_444_900}, 700024),
        ({"jti": None}, 50027),
        ({"nbf": None}, 50027),
        ({"exp": None}, 50027),
        ({"iss": "https://elsewhere.example"}, 700211),
        ({"header": {"x5t#S256": "bm90IGtub3du"}}, 700027),
        ({"header": {}}, 700027),
    ],
)
def test_assertion_with_wrong_claims_is_refused(
    api: Api, certificate: Certificate, changes: dict[str, Any], code: int
) -> None:
    api.sandbox.register_certificate(certificate.pem)
    response = sign_in(api, assertion(api, certificate, **changes))
    body = response.json()
    assert (response.status_code, body["error"], body["error_codes"]) == (
        401,
        "invalid_client",
        [code],
    )


def test_assertion_is_refused_the_second_time(api: Api, certificate: Certificate) -> None:
    api.sandbox.register_certificate(certificate.pem)
    text = assertion(api, certificate)
    assert sign_in(api, text).status_code == 200
    assert sign_in(api, text).json()["error_codes"] == [50027]


def test_assertion_of_an_unregistered_certificate_is_refused(api: Api) -> None:
    body = sign_in(api, assertion(api, make())).json()
    assert body["error_codes"] == [700027]
    assert "key was not found" in body["error_description"]


def test_assertion_of_an_expired_certificate_is_refused(api: Api) -> None:
    old = make(days=-1)
    api.sandbox.register_certificate(old.pem)
    body = sign_in(api, assertion(api, old)).json()
    assert body["error_codes"] == [700027]
    assert "expired" in body["error_description"]


def test_assertion_signed_with_another_key_is_refused(api: Api, certificate: Certificate) -> None:
    api.sandbox.register_certificate(certificate.pem)
    header = {"x5t#S256": thumbprint(certificate, hashes.SHA256())}
    assert sign_in(api, assertion(api, make(), header=header)).json()["error_codes"] == [700027]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_assertion_type": None}, 900144),
        ({"client_assertion_type": "urn:another"}, 9002313),
        ({"client_assertion": "not a token"}, 50027),
    ],
)
def test_assertion_that_is_malformed_is_refused(
    api: Api, certificate: Certificate, changes: dict[str, str | None], code: int
) -> None:
    text = assertion(api, certificate)
    assert sign_in(api, text, **changes).json()["error_codes"] == [code]


def test_assertion_of_a_public_app_is_refused(api: Api, certificate: Certificate) -> None:
    public = api.sandbox.announced["public_client_id"]
    body = sign_in(api, assertion(api, certificate), client_id=public).json()
    assert body["error_codes"] == [700025]


def _federated(api: Api, key: Certificate, **changes: Any) -> list[int] | str:
    claims = {"iss": CLUSTER, "sub": SUBJECT, "aud": "api://AzureADTokenExchange", **changes}
    text = assertion(api, key, header={"kid": "one"}, algorithm="RS256", **claims)
    answer: dict[str, Any] = sign_in(api, text).json()
    codes: list[int] | str = answer.get("error_codes", "signed in")
    return codes


def test_assertion_of_a_trusted_issuer_signs_in(own: Sandbox) -> None:
    api, cluster = Api(own), make()
    assert _federated(api, cluster) == [700211]
    public_key = cluster.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    own.trust(CLUSTER, SUBJECT, public_key.decode())
    # Such a token is in a file, and is sent many times.
    assert _federated(api, cluster, jti="one") == _federated(api, cluster, jti="one") == "signed in"
    assert _federated(api, cluster, sub="system:serviceaccount:another") == [700213]
    assert _federated(api, cluster, aud="https://elsewhere.example") == [700023]
    assert _federated(api, make()) == [700027]
