"""Certificates are verified. The authorities can be named, but verification can't be disabled."""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.util.ssl_ import create_urllib3_context

from tap_dynamics365.errors import TransportError
from tap_dynamics365.http.session import open_session
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.servers import bad_certificates, tls
from tests.tap import EXECUTABLE, FORKED, Tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from ssl import SSLContext

    import requests

    from sandbox.client import Sandbox
    from tests.servers.tls import TlsFront

TOKEN = "a-token-that-is-not-good"  # noqa: S105 - invented
VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
# These disable verification in some programs.
SWITCHES = [
    {},
    {"REQUESTS_CA_BUNDLE": ""},
    {"CURL_CA_BUNDLE": ""},
    {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "", "PYTHONHTTPSVERIFY": "0"},
]


@pytest.fixture(autouse=True)
def no_authorities_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the variables that name authorities from the environment."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def front(sandbox: Sandbox) -> Iterator[TlsFront]:
    """The service behind TLS, with a certificate of an unknown authority."""
    with tls.running(sandbox.url) as front:
        yield front


def tap(front: TlsFront, environment: dict[str, str], **settings: object) -> Tap:
    """Make the tap for the service behind TLS."""
    reached = {"service_url": f"{front.url}/api/data/v9.2/", "access_token": TOKEN}
    command = EXECUTABLE if "PYTHONHTTPSVERIFY" in environment else FORKED
    return Tap({**reached, **settings}, environment, command)


def session() -> requests.Session:
    """Open a session as the tap does."""
    config = {"service_url": "https://localhost/", "access_token": TOKEN}
    return open_session(Settings.from_config(config, JSON_SCHEMA))


@pytest.mark.parametrize("environment", SWITCHES)
def test_certificate_of_an_unknown_authority_is_not_trusted(
    front: TlsFront, service: Sandbox, environment: dict[str, str]
) -> None:
    run = tap(front, environment).run("--discover")
    assert "can't be trusted" in run.refusal()
    assert "REQUESTS_CA_BUNDLE" in run.refusal()
    assert TOKEN not in run.log
    assert not service.requests()


@pytest.mark.parametrize("name", ["verify", "ssl_verify", "verify_ssl", "insecure"])
def test_settings_of_other_taps_do_not_disable_verification(front: TlsFront, name: str) -> None:
    run = tap(front, {}, **{name: name == "insecure"}).run("--discover")
    assert "can't be trusted" in run.refusal()


def test_authority_in_a_variable_is_trusted(front: TlsFront, service: Sandbox) -> None:
    # The service is reached, and refuses the token.
    environment = {"REQUESTS_CA_BUNDLE": str(front.authority)}
    assert "401" in tap(front, environment).run("--discover").refusal()
    assert service.requests()


# The certificate, and parts of the message: OpenSSL's reason, and the advice.
FAULTS: dict[str, tuple[Callable[[SSLContext], bytes], tuple[str, ...]]] = {
    "expired": (bad_certificates.expired, ("certificate has expired", "clock", "renew")),
    "not yet valid": (bad_certificates.not_yet_valid, ("not yet valid", "clock", "renew")),
    "of another host": (
        bad_certificates.of_another_host,
        ("not valid for 'localhost'", "service_url or token_uri"),
    ),
    "self-signed": (bad_certificates.self_signed, ("self-signed", "REQUESTS_CA_BUNDLE")),
    "of an unknown authority": (tls.issue, ("local issuer", "REQUESTS_CA_BUNDLE")),
}
# The faults of certificates whose authority is known.
OF_A_KNOWN_AUTHORITY = {"expired", "not yet valid", "of another host"}


@pytest.mark.parametrize(
    ("host", "fault"),
    [*(("service", fault) for fault in FAULTS), ("sign-in", "expired"), ("sign-in", "self-signed")],
)
def test_certificate_that_is_not_trusted_is_reported_with_reason_and_advice(
    service: Sandbox, host: str, fault: str
) -> None:
    issue, words = FAULTS[fault]
    with tls.running(service.url, issue) as front:
        environment = {}
        if fault in OF_A_KNOWN_AUTHORITY:
            environment = {"REQUESTS_CA_BUNDLE": str(front.authority)}
        there = Tap({**service.settings, "token_uri": f"{front.url}/tenant/oauth2/v2.0/token"})
        run = replace(there if host == "sign-in" else tap(front, {}), environment=environment).run(
            "--discover"
        )
    sentence = run.refusal()
    place = front.url.removeprefix("https://")
    assert f"The certificate of {place} can't be trusted: " in sentence
    for each in words:
        assert each in sentence
    # For the other faults, a file of authorities does not help.
    assert ("REQUESTS_CA_BUNDLE" in sentence) is ("REQUESTS_CA_BUNDLE" in words)
    assert "Trying again" not in run.log
    assert not service.requests()


def test_authority_that_is_missing_in_a_file_is_reported_with_the_file(
    front: TlsFront, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    sentence = tap(front, {"CURL_CA_BUNDLE": str(other)}).run("--discover").refusal()
    assert f"those in {other}, which the variable CURL_CA_BUNDLE names" in sentence


class Strict(HTTPAdapter):
    """Verifies as Python does from version 3.13 on, on any version.

    Args:
        authority: The file with the authority to trust.
    """

    def __init__(self, authority: Path) -> None:
        self._context = create_urllib3_context()
        self._context.verify_flags |= ssl.VERIFY_X509_STRICT
        self._context.load_verify_locations(authority)
        super().__init__()

    @override
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)


@pytest.mark.parametrize(
    ("issue", "words"),
    [
        (bad_certificates.without_authority_key_identifier, "Missing Authority Key Identifier"),
        (
            bad_certificates.with_basic_constraints_not_critical,
            "Basic Constraints of CA cert not marked critical",
        ),
    ],
)
def test_certificate_that_python_3_13_refuses_is_reported_with_the_version(
    monkeypatch: pytest.MonkeyPatch, issue: Callable[[SSLContext], bytes], words: str
) -> None:
    with tls.running("http://127.0.0.1:9", issue) as front:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(front.authority))
        made = session()
        made.mount("https://", Strict(front.authority))
        with pytest.raises(TransportError) as caught:
            made.get(front.url)
    assert words in caught.value.message
    assert "Python 3.12" in caught.value.message
    assert "REQUESTS_CA_BUNDLE" not in caught.value.message


BUNDLES = {
    "missing": (None, "can't be read (No such file or directory)"),
    "empty": (b"", "holds no certificates in PEM format"),
    "not PEM": (b"0\x82\x01\x00 as DER has it", "holds no certificates in PEM format"),
}


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("bundle", BUNDLES)
def test_file_without_authorities_is_reported_with_its_variable(
    front: TlsFront, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, bundle: str
) -> None:
    content, words = BUNDLES[bundle]
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv(variable, str(file))
    with pytest.raises(TransportError) as caught:
        session().get(front.url)
    assert f"The file {file} {words}: set the variable {variable} to" in caught.value.message


def test_file_of_authorities_that_is_missing_ends_a_run_at_once(
    front: TlsFront, service: Sandbox
) -> None:
    run = tap(front, {"CURL_CA_BUNDLE": "/nowhere"}).run("--discover")
    assert "set the variable CURL_CA_BUNDLE to" in run.refusal()
    assert "Trying again" not in run.log
    assert not service.requests()


def test_file_of_authorities_without_tls_is_not_read(service: Sandbox) -> None:
    run = Tap(dict(service.settings), {"REQUESTS_CA_BUNDLE": "/nowhere"}).run("--discover")
    assert run.status == 0, run.log


@pytest.mark.parametrize(
    "environment",
    [
        {"CURL_CA_BUNDLE": "{good}", "SSL_CERT_FILE": "/nowhere"},
        {"REQUESTS_CA_BUNDLE": "{good}", "CURL_CA_BUNDLE": "/nowhere"},
        {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "{good}"},
    ],
)
def test_first_variable_with_authorities_takes_precedence(
    front: TlsFront, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, path in environment.items():
        monkeypatch.setenv(name, path.format(good=front.authority))
    assert session().get(f"{front.url}/api/data/v9.2/").status_code == 401


def test_ssl_cert_file_of_other_programs_has_no_effect(
    front: TlsFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(front.authority))
    with pytest.raises(TransportError, match="REQUESTS_CA_BUNDLE"):
        session().get(f"{front.url}/api/data/v9.2/")


def test_host_that_does_not_speak_tls_is_reported(service: Sandbox) -> None:
    config = {"service_url": service.service_url.replace("http:", "https:"), "access_token": TOKEN}
    sentence = Tap({**config, "ws_retry_count": 0}).run("--discover").refusal()
    assert f"No TLS connection (wrong version number) at {service.url[7:]}." in sentence
