"""`Settings.from_config`: defaults, and the connection URL merged in."""

from __future__ import annotations

import pytest

from tap_dynamics365.settings import CreateMap, Grant
from tests.settings.configs import (
    ACCESS_TOKEN,
    REFRESH_TOKEN,
    SECRET,
    SERVICE,
    TOKEN,
    TOKEN_URI,
    read,
    refusal,
)

OTHER = "another-token"
PREFIX = "jdbc:datadirect:dynamics365:"


def test_setting_that_is_not_set_has_its_default() -> None:
    settings = read(**ACCESS_TOKEN)
    assert (settings.fetch_size, settings.ws_timeout) == (5000, 300)
    assert (settings.tables, settings.scope, settings.ignored) == ((), None, ())
    assert (settings.create_map, settings.show_name_columns) == (CreateMap.ON_CHANGE, False)


@pytest.mark.parametrize("given", [SERVICE, SERVICE.rstrip("/"), SERVICE + "//"])
def test_service_url_with_any_slashes_ends_in_one(given: str) -> None:
    assert read(service_url=given, access_token=TOKEN).service_url == SERVICE


def test_connection_url_alone_is_enough() -> None:
    settings = read(
        connection_url=(
            f"{PREFIX}ServiceURL={SERVICE};ClientID=the-client;"
            f"ClientSecret={SECRET};TokenURI={TOKEN_URI};RefreshToken={TOKEN};"
            "Scope={a b };FetchSize=250;WSTimeout=0;AuthURI=https://host/;SpyAttributes=x;"
            "AuthenticationMethod=OAuth2;ProxyHost=proxy;ProxyPort=8080;ProxyUser=me;"
            f"ProxyPassword={{{SECRET} }}"
        )
    )
    assert (settings.service_url, settings.token_uri) == (SERVICE, TOKEN_URI)
    assert (settings.client_id, settings.client_secret) == ("the-client", SECRET)
    assert settings.refresh_token == TOKEN
    assert (settings.scope, settings.fetch_size, settings.ws_timeout) == ("a b ", 250, 0)
    assert (settings.auth_uri, settings.ignored) == ("https://host/", ("SpyAttributes",))
    assert (settings.proxy_host, settings.proxy_port) == ("proxy", 8080)
    assert (settings.proxy_user, settings.proxy_password) == ("me", f"{SECRET} ")


def test_connection_url_with_ntlm_selects_it() -> None:
    settings = read(
        connection_url=(
            f"{PREFIX}ServiceURL={SERVICE};AuthenticationMethod=ntlm;"
            f"NTLMDomain=CORP;User=reader;Password={SECRET};ProxyPort=0"
        )
    )
    assert settings.grant is Grant.NTLM
    assert (settings.ntlm_domain, settings.user) == ("CORP", "reader")
    assert settings.password == SECRET


def test_connection_url_with_basic_selects_it() -> None:
    settings = read(
        connection_url=(
            f"{PREFIX}ServiceURL={SERVICE};AuthenticationMethod=BASIC;User=reader;"
            f"Password={SECRET};"
        )
    )
    assert settings.grant is Grant.BASIC
    assert (settings.user, settings.password) == ("reader", SECRET)
    assert SECRET not in repr(settings)


def test_setting_beside_the_connection_url_takes_precedence() -> None:
    settings = read(
        connection_url=f"{PREFIX}ServiceURL={SERVICE};AccessToken={OTHER};FetchSize=10",
        access_token=TOKEN,
        fetch_size=20,
    )
    assert (settings.access_token, settings.fetch_size) == (TOKEN, 20)


def test_empty_setting_beside_the_connection_url_does_not_take_precedence() -> None:
    settings = read(
        connection_url=f"{PREFIX}ServiceURL={SERVICE};AccessToken={TOKEN}", access_token=""
    )
    assert settings.access_token == TOKEN


@pytest.mark.parametrize("name", ["FetchSize", "WSTimeout", "WSRetryCount", "ProxyPort"])
@pytest.mark.parametrize("value", ["many", "-1", "1.5", "٣", "+5", "1e3"])
def test_connection_url_with_a_number_that_is_none_is_refused(name: str, value: str) -> None:
    message = refusal(**ACCESS_TOKEN, connection_url=f"{PREFIX}{name}={value}")
    assert message.startswith(f"{name} in connection_url must be an integer")


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
def test_connection_url_with_a_number_out_of_bounds_is_refused(text: str, bounds: str) -> None:
    message = refusal(**ACCESS_TOKEN, connection_url=f"{PREFIX}{text}")
    assert message.startswith(text.partition("=")[0])
    assert bounds in message


def test_connection_url_with_a_boolean_that_is_none_is_refused() -> None:
    message = refusal(**ACCESS_TOKEN, connection_url=f"{PREFIX}ShowNameColumns=maybe")
    assert message == "ShowNameColumns in connection_url must be true or false."


def test_connection_url_with_a_schema_map_names_a_file_of_the_taps_own() -> None:
    settings = read(**ACCESS_TOKEN, connection_url=f"{PREFIX}SchemaMap=/maps/org.config")
    assert settings.schema_map == "/maps/org.config.tap-dynamics365.json"


def test_secret_is_not_in_the_repr() -> None:
    settings = read(
        **{**REFRESH_TOKEN, "refresh_token": f"1{SECRET}"},
        client_secret=f"2{SECRET}",
        access_token=f"3{SECRET}",
        client_certificate=f"5{SECRET}",
        client_certificate_password=f"6{SECRET}",
        password=f"7{SECRET}",
        proxy_host="proxy.example",
        proxy_port=8080,
        proxy_user="me",
        proxy_password=f"8{SECRET}",
        connection_url=f"{PREFIX}Scope=x;AccessToken=4{SECRET}",
    )
    assert SECRET not in repr(settings)
    assert SERVICE in repr(settings)
