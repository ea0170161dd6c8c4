"""Ways to sign in: which one the settings select, and what it requires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.settings import JSON_SCHEMA, Grant, Settings
from tests.settings.configs import (
    ACCESS_TOKEN,
    AZURE,
    BASIC,
    CLIENT_CERTIFICATE,
    CLIENT_SECRET,
    NTLM,
    REFRESH_TOKEN,
    SECRET,
    SERVICE,
    TOKEN,
    TOKEN_URI,
    read,
    refusal,
    without,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("config", "grant"),
    [
        (ACCESS_TOKEN, Grant.ACCESS_TOKEN),
        (CLIENT_SECRET, Grant.CLIENT_SECRET),
        (CLIENT_CERTIFICATE, Grant.CLIENT_CERTIFICATE),
        (REFRESH_TOKEN, Grant.REFRESH_TOKEN),
        (AZURE, Grant.AZURE),
        (NTLM, Grant.NTLM),
        ({**CLIENT_SECRET, **ACCESS_TOKEN}, Grant.CLIENT_SECRET),
        ({**CLIENT_CERTIFICATE, **CLIENT_SECRET}, Grant.CLIENT_CERTIFICATE),
        ({**REFRESH_TOKEN, **ACCESS_TOKEN, **CLIENT_SECRET}, Grant.REFRESH_TOKEN),
        ({**AZURE, **REFRESH_TOKEN}, Grant.AZURE),
        ({**NTLM, **REFRESH_TOKEN}, Grant.NTLM),
        ({**REFRESH_TOKEN, "authentication_method": "oauth2"}, Grant.REFRESH_TOKEN),
        ({**NTLM, "authentication_method": "ntlm"}, Grant.NTLM),
        ({**BASIC, **REFRESH_TOKEN}, Grant.BASIC),
        ({**BASIC, "authentication_method": "basic"}, Grant.BASIC),
    ],
)
def test_grant_is_selected_by_the_settings_present(config: dict[str, Any], grant: Grant) -> None:
    assert read(**config).grant is grant


def test_access_token_requires_only_the_service_url() -> None:
    settings = read(**ACCESS_TOKEN)
    assert settings.access_token == TOKEN
    assert settings.refresh_token is None


def test_refresh_token_requires_a_client_but_no_secret() -> None:
    settings = read(**REFRESH_TOKEN)
    assert (settings.client_id, settings.token_uri) == ("the-client", TOKEN_URI)
    assert settings.client_secret is None


@pytest.mark.parametrize("config", [REFRESH_TOKEN, CLIENT_SECRET, CLIENT_CERTIFICATE])
def test_token_uri_is_optional(config: dict[str, Any]) -> None:
    assert read(**{**config, "token_uri": ""}).token_uri is None


def test_access_token_beside_a_refresh_token_is_accepted() -> None:
    assert read(**{**ACCESS_TOKEN, **REFRESH_TOKEN}).refresh_token == TOKEN


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (REFRESH_TOKEN, "service_url"),
        (REFRESH_TOKEN, "client_id"),
        (CLIENT_SECRET, "client_id"),
        (CLIENT_CERTIFICATE, "client_id"),
        *((NTLM, name) for name in ("ntlm_domain", "user", "password")),
        *((BASIC, name) for name in ("user", "password")),
    ],
)
@pytest.mark.parametrize("nothing", ["", None])
def test_required_setting_that_is_missing_is_named(
    config: dict[str, Any], name: str, nothing: str | None
) -> None:
    message = refusal(**without(config, name))
    assert message.startswith(f"Setting {name} is missing")
    assert refusal(**{**config, name: nothing}) == message


@pytest.mark.parametrize("config", [{}, {"access_token": "", "refresh_token": None}])
def test_settings_without_a_grant_are_refused_with_each_grant(config: dict[str, Any]) -> None:
    message = refusal(service_url=SERVICE, **config)
    for grant in Grant:
        if grant not in {Grant.NTLM, Grant.BASIC}:
            assert grant.value in message
    assert "client_id" in message
    assert "dynamics365 login" in message


def test_user_without_ntlm_is_refused_with_the_method() -> None:
    message = refusal(**without(NTLM, "authentication_method"))
    assert "set authentication_method to NTLM or Basic" in message


def test_token_store_without_a_token_is_refused_with_the_login_command(tmp_path: Path) -> None:
    empty = tmp_path / "token.json"
    config = {"service_url": SERVICE, "client_id": "the-client", "token_store": str(empty)}
    assert "dynamics365 login" in refusal(**config)
    empty.touch()
    assert "dynamics365 login" in refusal(**config)


def test_token_store_with_content_selects_the_refresh_token(tmp_path: Path) -> None:
    store = tmp_path / "token.json"
    store.write_text("{}")
    config = {"service_url": SERVICE, "client_id": "the-client", "token_store": str(store)}
    assert read(**config).grant is Grant.REFRESH_TOKEN
    message = refusal(**without(config, "client_id"))
    assert message.startswith("Setting client_id is missing")
    assert "token_store" in message


def test_login_command_without_a_grant_is_accepted() -> None:
    settings = Settings.from_config({"service_url": SERVICE}, JSON_SCHEMA, for_login=True)
    assert (settings.service_url, settings.grant) == (SERVICE, None)
    with pytest.raises(SettingsError):
        Settings.from_config({"client_id": "x"}, JSON_SCHEMA, for_login=True)


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({**NTLM, **AZURE}, ("authentication_method", "azure_credential")),
        ({**BASIC, **AZURE}, ("authentication_method=Basic", "azure_credential")),
        ({**BASIC, **CLIENT_CERTIFICATE}, ("authentication_method=Basic", "client_certificate")),
        ({**AZURE, **CLIENT_CERTIFICATE}, ("azure_credential", "client_certificate")),
    ],
)
def test_settings_that_select_two_grants_are_refused(
    config: dict[str, Any], names: tuple[str, str]
) -> None:
    message = refusal(**config)
    assert all(name in message for name in names)


def test_user_with_a_colon_is_refused_for_basic() -> None:
    message = refusal(**{**BASIC, "user": "corp:reader"})
    assert message == "Setting user must not contain a colon with authentication_method=Basic."
    assert read(**{**NTLM, "user": "corp:reader"}).grant is Grant.NTLM


def test_authentication_method_that_is_unknown_is_refused_with_the_known_ones() -> None:
    message = refusal(**ACCESS_TOKEN, authentication_method="Kerberos")
    assert message == "Setting authentication_method must be OAuth2, NTLM, or Basic."


def test_azure_credential_that_is_unknown_is_refused_with_the_known_ones() -> None:
    message = refusal(service_url=SERVICE, azure_credential=SECRET)
    for word in ("azure_credential", "default", "managed_identity", "azure_cli"):
        assert word in message


@pytest.mark.parametrize("word", ["POST ", "post ", " POST  "])
def test_token_uri_after_the_drivers_method_is_accepted(word: str) -> None:
    assert read(**{**CLIENT_SECRET, "token_uri": word + TOKEN_URI}).token_uri == TOKEN_URI
