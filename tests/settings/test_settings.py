"""The settings: what is missing or at odds is said in one sentence, without a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.settings import JSON_SCHEMA, Grant, Settings
from tests.settings.test_table import SECRETS

if TYPE_CHECKING:
    from pathlib import Path

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
WITH_SECRET = {"service_url": SERVICE, "client_id": "the-client", "client_secret": SECRET}
WITH_CERTIFICATE = {
    "service_url": SERVICE,
    "client_id": "the-client",
    "client_certificate": "certificate.pem",
}
WITH_AZURE = {"service_url": SERVICE, "azure_credential": "managed_identity"}
ON_PREMISES = {
    "service_url": SERVICE,
    "authentication_method": "NTLM",
    "ntlm_domain": "CORP",
    "user": "reader",
    "password": SECRET,
}
THROUGH_PROXY = {
    **WITH_TOKEN,
    "proxy_host": "proxy.example",
    "proxy_port": 8080,
    "proxy_user": "someone",
    "proxy_password": SECRET,
}


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


def test_a_refresh_token_needs_a_client_but_no_secret() -> None:
    read = settings(**REFRESHING)
    assert (read.client_id, read.token_uri) == ("the-client", SIGN_IN)
    assert read.client_secret is None


@pytest.mark.parametrize("config", [REFRESHING, WITH_SECRET, WITH_CERTIFICATE])
def test_the_token_uri_may_be_left_out(config: dict[str, Any]) -> None:
    assert settings(**{**config, "token_uri": ""}).token_uri is None


def test_both_tokens_may_be_there() -> None:
    assert settings(**REFRESHING, access_token=OTHER).refresh_token == TOKEN


def test_defaults() -> None:
    read = settings(**WITH_TOKEN)
    assert (read.fetch_size, read.ws_timeout) == (5000, 300)
    assert (read.tables, read.scope, read.ignored) == ((), None, ())


@pytest.mark.parametrize("given", [SERVICE, SERVICE.rstrip("/"), SERVICE + "//"])
def test_the_service_url_ends_in_one_slash(given: str) -> None:
    assert settings(service_url=given, access_token=TOKEN).service_url == SERVICE


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (REFRESHING, "service_url"),
        (REFRESHING, "client_id"),
        (WITH_SECRET, "client_id"),
        (WITH_CERTIFICATE, "client_id"),
        *((ON_PREMISES, name) for name in ("ntlm_domain", "user", "password")),
        *((THROUGH_PROXY, name) for name in ("proxy_host", "proxy_port", "proxy_user")),
    ],
)
@pytest.mark.parametrize("nothing", ["", None])
def test_a_missing_setting_is_named(config: dict[str, Any], name: str, nothing: str | None) -> None:
    assert refusal(**{**config, name: nothing}) == refusal(**without(config, name))
    message = refusal(**without(config, name))
    assert message.startswith(f"Setting {name} is missing")
    assert "\n" not in message


@pytest.mark.parametrize("config", [{}, {"access_token": "", "refresh_token": None}])
def test_without_a_way_to_sign_in_all_are_named(config: dict[str, Any]) -> None:
    message = refusal(service_url=SERVICE, **config)
    for grant in Grant:
        if grant is not Grant.NTLM:
            assert grant.value in message
    assert "client_id" in message
    assert "tap-dynamics365-login" in message


def test_a_user_without_the_method_that_takes_one_is_told_of_it() -> None:
    assert "authentication_method" in refusal(**without(ON_PREMISES, "authentication_method"))


def test_a_token_store_without_a_token_is_told_how_to_get_one(tmp_path: Path) -> None:
    empty = tmp_path / "token.json"
    config = {"service_url": SERVICE, "client_id": "the-client", "token_store": str(empty)}
    assert "tap-dynamics365-login" in refusal(**config)
    empty.touch()
    assert "tap-dynamics365-login" in refusal(**config)


def test_a_token_store_with_something_in_it_is_a_way_to_sign_in(tmp_path: Path) -> None:
    store = tmp_path / "token.json"
    store.write_text("{}")
    config = {"service_url": SERVICE, "client_id": "the-client", "token_store": str(store)}
    assert settings(**config).grant is Grant.REFRESH_TOKEN
    message = refusal(**without(config, "client_id"))
    assert message.startswith("Setting client_id is missing")
    assert "token_store" in message


def test_for_the_login_command_there_need_be_no_way_to_sign_in() -> None:
    read = Settings.from_config({"service_url": SERVICE}, JSON_SCHEMA, for_login=True)
    assert (read.service_url, read.grant) == (SERVICE, None)
    with pytest.raises(SettingsError):
        Settings.from_config({"client_id": "x"}, JSON_SCHEMA, for_login=True)


@pytest.mark.parametrize(
    ("config", "grant"),
    [
        (WITH_TOKEN, Grant.ACCESS_TOKEN),
        (WITH_SECRET, Grant.CLIENT_SECRET),
        (WITH_CERTIFICATE, Grant.CLIENT_CERTIFICATE),
        (REFRESHING, Grant.REFRESH_TOKEN),
        (WITH_AZURE, Grant.AZURE),
        (ON_PREMISES, Grant.NTLM),
        ({**WITH_SECRET, **WITH_TOKEN}, Grant.CLIENT_SECRET),
        ({**WITH_CERTIFICATE, **WITH_SECRET}, Grant.CLIENT_CERTIFICATE),
        ({**REFRESHING, **WITH_TOKEN, **WITH_SECRET}, Grant.REFRESH_TOKEN),
        ({**WITH_AZURE, **REFRESHING}, Grant.AZURE),
        ({**ON_PREMISES, **REFRESHING}, Grant.NTLM),
        ({**REFRESHING, "authentication_method": "oauth2"}, Grant.REFRESH_TOKEN),
        ({**ON_PREMISES, "authentication_method": "ntlm"}, Grant.NTLM),
    ],
)
def test_the_grant_is_told_by_the_settings_present(config: dict[str, Any], grant: Grant) -> None:
    assert settings(**config).grant is grant


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({**ON_PREMISES, **WITH_AZURE}, ("authentication_method", "azure_credential")),
        ({**WITH_AZURE, **WITH_CERTIFICATE}, ("azure_credential", "client_certificate")),
    ],
)
def test_two_ways_to_sign_in_are_refused(config: dict[str, Any], names: tuple[str, str]) -> None:
    message = refusal(**config)
    assert all(name in message for name in names)


def test_another_authentication_method_is_refused() -> None:
    message = refusal(**WITH_TOKEN, authentication_method="Kerberos")
    for word in ("authentication_method", "OAuth2", "NTLM"):
        assert word in message
    assert "Kerberos" not in message


def test_another_azure_credential_is_refused_with_those_there_are() -> None:
    message = refusal(service_url=SERVICE, azure_credential=SECRET)
    for word in ("azure_credential", "default", "managed_identity", "azure_cli"):
        assert word in message
    assert SECRET not in message


@pytest.mark.parametrize("word", ["POST ", "post ", " POST  "])
def test_the_drivers_word_before_the_token_uri_is_taken_off(word: str) -> None:
    assert settings(**{**WITH_SECRET, "token_uri": word + SIGN_IN}).token_uri == SIGN_IN


@pytest.mark.parametrize("name", ["service_url", "token_uri", "auth_uri"])
@pytest.mark.parametrize("host", ["org.example", "10.0.0.1", "localhost.example", "127.0.0.1.x"])
def test_what_everyone_can_hear_is_refused(name: str, host: str) -> None:
    message = refusal(**{**REFRESHING, name: f"http://{host}/path"})
    assert name in message
    assert "https://" in message


@pytest.mark.parametrize("name", ["service_url", "token_uri", "auth_uri"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080"])
def test_on_this_machine_nobody_else_hears(name: str, host: str) -> None:
    assert settings(**{**REFRESHING, name: f"http://{host}/path/"})


@pytest.mark.parametrize("host", ["http://proxy.example", "proxy.example:8080", "a b", "u:p@host"])
def test_a_proxy_host_is_a_name_alone(host: str) -> None:
    message = refusal(**{**THROUGH_PROXY, "proxy_host": host})
    assert "proxy_host" in message
    assert "proxy_port" in message


@pytest.mark.parametrize("host", ["proxy", "proxy.example", "10.0.0.1", "2001:db8::1"])
def test_a_proxy_host_is_a_name_or_an_address(host: str) -> None:
    read = settings(**{**THROUGH_PROXY, "proxy_host": host})
    assert (read.proxy_host, read.proxy_port) == (host, 8080)


@pytest.mark.parametrize("port", [-1, 65536, "8080"])
def test_a_proxy_port_is_a_port(port: object) -> None:
    assert "proxy_port" in refusal(**{**THROUGH_PROXY, "proxy_port": port})


@pytest.mark.parametrize("name", ["service_url", "token_uri", "auth_uri"])
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
        ("max_parallel_requests", 53, "52"),
        ("ws_timeout", 2_147_484, "2147483"),
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
            "Scope={a b };FetchSize=250;WSTimeout=0;AuthURI=https://host/;SpyAttributes=x;"
            "AuthenticationMethod=OAuth2;ProxyHost=proxy;ProxyPort=8080;ProxyUser=me;"
            f"ProxyPassword={{{SECRET} }}"
        )
    )
    assert (read.service_url, read.token_uri, read.client_id) == (SERVICE, SIGN_IN, "the-client")
    assert (read.client_secret, read.refresh_token) == (SECRET, TOKEN)
    assert (read.scope, read.fetch_size, read.ws_timeout) == ("a b ", 250, 0)
    assert (read.auth_uri, read.ignored) == ("https://host/", ("SpyAttributes",))
    assert (read.proxy_host, read.proxy_port, read.proxy_user) == ("proxy", 8080, "me")
    assert read.proxy_password == f"{SECRET} "


def test_a_connection_url_can_be_of_a_server_on_premises() -> None:
    read = settings(
        connection_url=(
            f"jdbc:datadirect:dynamics365:ServiceURL={SERVICE};AuthenticationMethod=ntlm;"
            f"NTLMDomain=CORP;User=reader;Password={SECRET};ProxyPort=0"
        )
    )
    assert read.grant is Grant.NTLM
    assert (read.ntlm_domain, read.user, read.password) == ("CORP", "reader", SECRET)


@pytest.mark.parametrize("token", ["two words", "a line\n", "with a\ttab", "größe", "Bearer x"])
def test_an_access_token_that_can_be_none_is_not_told(token: str) -> None:
    message = refusal(**{**WITH_TOKEN, "access_token": token})
    assert "access_token" in message
    assert token not in message


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


@pytest.mark.parametrize("name", ["FetchSize", "WSTimeout", "ProxyPort"])
@pytest.mark.parametrize("value", ["many", "-1", "1.5", "٣", "+5", "1e3"])
def test_what_is_no_number_in_the_connection_url_is_refused(name: str, value: str) -> None:
    message = refusal(**WITH_TOKEN, connection_url=f"jdbc:datadirect:dynamics365:{name}={value}")
    assert name in message
    assert "an integer" in message


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("FetchSize=0", "of 1 or more"),
        ("ProxyPort=65536", "from 0 to 65535"),
        ("WSTimeout=2147484", "from 0 to 2147483"),
        ("WSTimeout=99999999999999999999", "from 0 to 2147483"),
        ("StmtCallLimit=-1", "of 0 or more"),
    ],
)
def test_number_out_of_bounds_in_the_connection_url_is_refused(text: str, bounds: str) -> None:
    message = refusal(**WITH_TOKEN, connection_url=f"jdbc:datadirect:dynamics365:{text}")
    assert message.startswith(text.partition("=")[0])
    assert bounds in message


def test_secrets_are_not_in_the_repr() -> None:
    read = settings(
        **{**REFRESHING, "refresh_token": f"1{SECRET}"},
        client_secret=f"2{SECRET}",
        access_token=f"3{SECRET}",
        client_certificate=f"5{SECRET}",
        client_certificate_password=f"6{SECRET}",
        password=f"7{SECRET}",
        proxy_host="proxy.example",
        proxy_port=8080,
        proxy_user="me",
        proxy_password=f"8{SECRET}",
        connection_url=f"jdbc:datadirect:dynamics365:Scope=x;AccessToken=4{SECRET}",
    )
    assert SECRET not in repr(read)
    assert SERVICE in repr(read)


@pytest.mark.parametrize("method", ["incremental", "INCREMENTAL", "Log_Based"])
def test_the_replication_method_is_in_any_case(method: str) -> None:
    assert settings(**WITH_TOKEN, replication_method=method).replication_method == method.upper()


@pytest.mark.parametrize("method", ["FULL_TABLE", "by guessing"])
def test_another_replication_method_is_refused(method: str) -> None:
    with pytest.raises(SettingsError, match="replication_method must be INCREMENTAL or LOG_BASED"):
        settings(**WITH_TOKEN, replication_method=method)
