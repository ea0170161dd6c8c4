"""The settings: what is missing or at odds is said in one sentence, without a secret."""

from __future__ import annotations

from typing import Any

import pytest

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.settings import JSON_SCHEMA, Settings

SERVICE = "https://org.api.crm.dynamics.com/api/data/v9.2/"
SIGN_IN = "https://login.microsoftonline.com/common/oauth2/v2.0/token"
SECRET = "s3cr3t~of/mine+=="  # noqa: S105 - an invented one
TOKEN = "the-token"  # noqa: S105 - as above
OTHER = "another-token"
REFRESHING = {
    "service_url": SERVICE,
    "client_id": "the-client",
    "token_uri": SIGN_IN,
    "refresh_token": TOKEN,
}
WITH_TOKEN = {"service_url": SERVICE, "access_token": TOKEN}
SECRETS = ["access_token", "client_secret", "connection_url", "refresh_token"]


def settings(**config: Any) -> Settings:
    """Read a configuration."""
    return Settings.from_config(config, JSON_SCHEMA)


def refusal(**config: Any) -> str:
    """Tell why a configuration is refused."""
    with pytest.raises(SettingsError) as caught:
        settings(**config)
    return caught.value.message


def without(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Take one setting out."""
    return {key: value for key, value in config.items() if key != name}


def test_an_access_token_needs_no_more_than_the_address() -> None:
    read = settings(**WITH_TOKEN)
    assert read.access_token == TOKEN
    assert read.refresh_token is None


def test_a_refresh_token_needs_client_and_token_uri_but_no_secret() -> None:
    read = settings(**REFRESHING)
    assert (read.client_id, read.token_uri) == ("the-client", SIGN_IN)
    assert read.client_secret is None


def test_both_tokens_may_be_there() -> None:
    assert settings(**REFRESHING, access_token=OTHER).refresh_token == TOKEN


def test_defaults() -> None:
    read = settings(**WITH_TOKEN)
    assert (read.fetch_size, read.ws_timeout) == (5000, 300)
    assert (read.tables, read.scope, read.ignored) == ((), None, ())


@pytest.mark.parametrize("given", [SERVICE, SERVICE.rstrip("/"), SERVICE + "//"])
def test_the_service_url_ends_in_one_slash(given: str) -> None:
    assert settings(service_url=given, access_token=TOKEN).service_url == SERVICE


@pytest.mark.parametrize("name", ["service_url", "client_id", "token_uri"])
@pytest.mark.parametrize("nothing", ["", None])
def test_a_missing_setting_is_named(name: str, nothing: str | None) -> None:
    assert refusal(**{**REFRESHING, name: nothing}) == refusal(**without(REFRESHING, name))
    message = refusal(**without(REFRESHING, name))
    assert message.startswith(f"Setting {name} is missing")
    assert "\n" not in message


@pytest.mark.parametrize("config", [{}, {"access_token": "", "refresh_token": None}])
def test_without_a_token_both_ways_to_sign_in_are_named(config: dict[str, Any]) -> None:
    message = refusal(service_url=SERVICE, **config)
    for name in ("refresh_token", "access_token", "client_id", "token_uri"):
        assert name in message


@pytest.mark.parametrize("name", ["service_url", "token_uri"])
@pytest.mark.parametrize(
    "address", ["org.api.crm.dynamics.com", "/api/data/v9.2/", "ftp://host/", "https://", "[::1"]
)
def test_what_is_no_web_address_is_refused_by_name(name: str, address: str) -> None:
    message = refusal(**{**REFRESHING, name: address})
    assert name in message
    assert "https://" in message


@pytest.mark.parametrize(
    "date",
    ["2026-01-31", "2026-01-31T08:00:00Z", "2026-01-31T08:00:00.5+02:00", "2026-01-31T08:00:00"],
)
def test_a_start_date_is_a_date_with_or_without_a_time(date: str) -> None:
    assert settings(**WITH_TOKEN, start_date=date)


@pytest.mark.parametrize("date", ["yesterday", "31.01.2026", "2026-13-01", "2026-02-30T00:00:00Z"])
def test_a_start_date_that_is_none_is_refused_by_name(date: str) -> None:
    assert "start_date" in refusal(**WITH_TOKEN, start_date=date)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("service_url", 5, "string"),
        ("client_id", ["x"], "string"),
        ("tables", "account", "array"),
        ("tables", {"account": True}, "array"),
        ("fetch_size", "5000", "integer"),
        ("fetch_size", 1.5, "integer"),
        ("fetch_size", True, "integer"),
        ("fetch_size", 0, "1"),
        ("ws_timeout", -1, "0"),
        ("ws_timeout", "soon", "integer"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_the_right_one(
    name: str, value: object, expected: str
) -> None:
    message = refusal(**{**WITH_TOKEN, name: value})
    assert name in message
    assert expected in message


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", [[SECRET], {SECRET: SECRET}, {"a": [SECRET]}])
def test_a_secret_of_the_wrong_type_is_not_told(name: str, value: object) -> None:
    message = refusal(**{**WITH_TOKEN, name: value})
    assert name in message
    assert SECRET not in message


def test_every_wrong_value_is_told_at_once() -> None:
    message = refusal(**WITH_TOKEN, fetch_size="many", ws_timeout="soon")
    assert "fetch_size" in message
    assert "ws_timeout" in message


def test_a_whole_number_written_with_a_fraction_of_zero_is_a_whole_number() -> None:
    assert repr(settings(**WITH_TOKEN, fetch_size=1000.0).fetch_size) == "1000"


def test_a_connection_url_can_be_all_there_is() -> None:
    read = settings(
        connection_url=(
            f"jdbc:datadirect:dynamics365:ServiceURL={SERVICE};ClientID=the-client;"
            f"ClientSecret={SECRET};TokenURI={SIGN_IN};RefreshToken={TOKEN};"
            "Scope={a b };FetchSize=250;WSTimeout=0;AuthURI=https://host/;SpyAttributes=x"
        )
    )
    assert (read.service_url, read.token_uri, read.client_id) == (SERVICE, SIGN_IN, "the-client")
    assert (read.client_secret, read.refresh_token) == (SECRET, TOKEN)
    assert (read.scope, read.fetch_size, read.ws_timeout) == ("a b ", 250, 0)
    assert read.ignored == ("AuthURI", "SpyAttributes")


def test_other_settings_win_over_the_connection_url() -> None:
    read = settings(
        connection_url=(
            f"jdbc:datadirect:dynamics365:ServiceURL={SERVICE};AccessToken={OTHER};FetchSize=10"
        ),
        access_token=TOKEN,
        fetch_size=20,
    )
    assert (read.access_token, read.fetch_size) == (TOKEN, 20)


def test_an_empty_setting_does_not_win_over_the_connection_url() -> None:
    read = settings(
        connection_url=f"jdbc:datadirect:dynamics365:ServiceURL={SERVICE};AccessToken={TOKEN}",
        access_token="",
    )
    assert read.access_token == TOKEN


@pytest.mark.parametrize("name", ["FetchSize", "WSTimeout"])
@pytest.mark.parametrize("value", ["many", "-1", "1.5", "٣", "+5", "1e3"])
def test_what_is_no_number_in_the_connection_url_is_refused(name: str, value: str) -> None:
    message = refusal(**WITH_TOKEN, connection_url=f"jdbc:datadirect:dynamics365:{name}={value}")
    assert name in message
    assert "number" in message


def test_no_rows_at_a_time_is_refused_in_the_connection_url_too() -> None:
    url = "jdbc:datadirect:dynamics365:FetchSize=0"
    assert "FetchSize" in refusal(**WITH_TOKEN, connection_url=url)


def test_secrets_are_not_in_the_repr() -> None:
    read = settings(
        **{**REFRESHING, "refresh_token": f"1{SECRET}"},
        client_secret=f"2{SECRET}",
        access_token=f"3{SECRET}",
        connection_url=f"jdbc:datadirect:dynamics365:Scope=x;AccessToken=4{SECRET}",
    )
    assert SECRET not in repr(read)
    assert SERVICE in repr(read)


@pytest.mark.parametrize("name", JSON_SCHEMA["properties"])
def test_every_setting_has_a_title_and_a_description(name: str) -> None:
    declared = JSON_SCHEMA["properties"][name]
    assert declared["title"].strip()
    assert declared["description"].strip()


def test_the_secrets_and_only_they_are_marked() -> None:
    marked = [name for name, p in JSON_SCHEMA["properties"].items() if p.get("secret")]
    assert sorted(marked) == SECRETS


def test_no_setting_is_required_alone_for_the_connection_url_may_have_it() -> None:
    assert not JSON_SCHEMA.get("required")
