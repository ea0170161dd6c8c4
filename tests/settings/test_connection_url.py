"""Connection URL of the driver, read as the driver's documentation describes it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.settings.connection_url import MIRRORED, parse

PREFIX = "jdbc:datadirect:dynamics365:"

SETTINGS = {
    "AccessToken": "access_token",
    "AuthURI": "auth_uri",
    "AuthenticationMethod": "authentication_method",
    "ClientID": "client_id",
    "ClientSecret": "client_secret",
    "CreateMap": "create_map",
    "CrossCompany": "cross_company",
    "FetchSize": "fetch_size",
    "NTLMDomain": "ntlm_domain",
    "Password": "password",
    "ProxyHost": "proxy_host",
    "ProxyPassword": "proxy_password",
    "ProxyPort": "proxy_port",
    "ProxyUser": "proxy_user",
    "RefreshToken": "refresh_token",
    "SchemaMap": "schema_map",
    "Scope": "scope",
    "ServiceURL": "service_url",
    "ShowNameColumns": "show_name_columns",
    "StmtCallLimit": "stmt_call_limit",
    "StmtCallLimitBehavior": "stmt_call_limit_behavior",
    "TokenURI": "token_uri",
    "User": "user",
    "WSRetryCount": "ws_retry_count",
    "WSTimeout": "ws_timeout",
}
WITHOUT_EFFECT = [
    "BatchUpdateChunkSize",
    "ConvertNull",
    "ImportStatementPool",
    "InsensitiveResultSetBufferSize",
    "JavaDoubleToString",
    "LogConfigFile",
    "LoginTimeout",
    "MaxPooledStatements",
    "RegisterStatementPoolMonitorMBean",
    "SpyAttributes",
    "TransactionMode",
]
SECRET = "Zx8~Q.k/+=="  # noqa: S105 - an invented one


def refusal(url: str) -> str:
    """Parse a URL that is refused, and return the message."""
    with pytest.raises(SettingsError) as caught:
        parse(url)
    return caught.value.message


def test_connection_url_of_the_drivers_documentation_is_read() -> None:
    settings, ignored = parse(
        "jdbc:datadirect:dynamics365:"
        "ServiceURL=https://mywebinstance.api.crm.dynamics.com/api/data/v9.1/;"
        "AuthenticationMethod=OAuth2;"
        "ClientID=0c9d7a5e-5b1f-4a63-9d5e-8f2f6f0b1c2d;"
        "ClientSecret=a8Q~x.Y_z/1+2==;"
        "TokenURI=https://login.microsoftonline.com/common/oauth2/v2.0/token;"
        "RefreshToken=0.AXkA-_b/c+d~e.f=;"
    )
    assert settings == {
        "service_url": "https://mywebinstance.api.crm.dynamics.com/api/data/v9.1/",
        "authentication_method": "OAuth2",
        "client_id": "0c9d7a5e-5b1f-4a63-9d5e-8f2f6f0b1c2d",
        "client_secret": "a8Q~x.Y_z/1+2==",
        "token_uri": "https://login.microsoftonline.com/common/oauth2/v2.0/token",
        "refresh_token": "0.AXkA-_b/c+d~e.f=",
    }
    assert ignored == []


def test_properties_that_settings_mirror_are_those_listed() -> None:
    assert MIRRORED == SETTINGS


@pytest.mark.parametrize("name", SETTINGS)
def test_property_is_read_as_its_setting(name: str) -> None:
    assert parse(f"{PREFIX}{name}=value;") == ({SETTINGS[name]: "value"}, [])


@pytest.mark.parametrize("name", ["ClientID", "clientid", "CLIENTID", "cLiEnTiD", " ClientID "])
def test_property_in_any_letter_case_is_read(name: str) -> None:
    assert parse(f"{PREFIX}{name}=abc") == ({"client_id": "abc"}, [])


@pytest.mark.parametrize("prefix", [PREFIX, PREFIX.upper(), "JDBC:DataDirect:Dynamics365:"])
def test_prefix_in_any_letter_case_is_accepted(prefix: str) -> None:
    assert parse(f"{prefix}ClientID=abc") == ({"client_id": "abc"}, [])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("hello", "hello"),
        ("  hello  ", "hello"),
        ("{hello }", "hello "),
        (" { hello} ", " hello"),
        ("{{hello}}", "{hello}"),
        ("{hello", "{hello"),
        ("hello}", "hello}"),
        ("he{ll}o", "he{ll}o"),
        ("{", "{"),
        ("a=b=c", "a=b=c"),
        ("===", "==="),
        ("größe Ω", "größe Ω"),
    ],
)
def test_value_in_curly_brackets_is_unwrapped_once(written: str, meant: str) -> None:
    assert parse(f"{PREFIX}Scope={written};ClientID=x") == ({"scope": meant, "client_id": "x"}, [])


@pytest.mark.parametrize("value", ["", "   ", "{}"])
def test_property_with_an_empty_value_is_not_set(value: str) -> None:
    assert parse(f"{PREFIX}ClientSecret={value};ClientID=x") == ({"client_id": "x"}, [])


@pytest.mark.parametrize("rest", ["", ";", " ; ;; "])
def test_connection_url_without_properties_has_no_settings(rest: str) -> None:
    assert parse(PREFIX + rest) == ({}, [])


@pytest.mark.parametrize("name", WITHOUT_EFFECT)
def test_property_without_effect_is_ignored_by_name(name: str) -> None:
    assert parse(f"{PREFIX}{name.lower()}=7;ClientID=x") == ({"client_id": "x"}, [name])


@pytest.mark.parametrize(
    "value",
    [
        "(log=(file)/tmp/spy.log;linelimit=80)",
        "(log=(filePrefix)C:\\\\temp\\\\spy_;linelimit=80;logTName=yes;timestamp=yes)",
        "(log=(file)/tmp/spy.log)",
        "(log=(file)a;ClientID=y;User=z)",
        "yes",
        "",
    ],
)
def test_semicolons_in_spy_attributes_end_no_value(value: str) -> None:
    url = f"{PREFIX}ClientID=x; spyattributes = {value};User=me"
    assert parse(url) == ({"client_id": "x", "user": "me"}, ["SpyAttributes"])


def test_spy_attributes_without_the_end_are_refused_without_their_text() -> None:
    assert "s3cond" not in refusal(f"{PREFIX}SpyAttributes=(log=(file)a;s3cond=1;ClientID=x")


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("end", ["", ";", "\n", ";\n"])
def test_connection_url_in_quotes_is_read(quote: str, end: str) -> None:
    url = f" {quote}{PREFIX}ClientID=x;User=it's;{quote}{end}"
    assert parse(url) == ({"client_id": "x", "user": "it's"}, [])


@pytest.mark.parametrize(
    ("unknown", "near"),
    [("ClientSecrt", "clientsecret"), ("Service_URL", "serviceurl"), ("TokenURL", "tokenuri")],
)
def test_property_misspelt_is_refused_with_the_one_meant(unknown: str, near: str) -> None:
    message = refusal(f"{PREFIX}ClientID=x;{unknown}={SECRET};")
    assert unknown in message
    assert near in message.lower()
    assert SECRET not in message


def test_property_that_is_unknown_is_refused_by_its_position() -> None:
    message = refusal(f"{PREFIX}Qqqqq={SECRET};")
    assert "Part 1" in message
    assert "Qqqqq" not in message
    assert "meant" not in message
    assert SECRET not in message


@pytest.mark.parametrize("rest", ["s3cond=half", "s3cond", " s3cond = =", "=s3cond"])
@pytest.mark.parametrize(("name", "setting"), [("ClientSecret", "client_secret"), ("user", "user")])
def test_secret_with_a_semicolon_is_refused_with_the_way_out(
    rest: str, name: str, setting: str
) -> None:
    message = refusal(f"{PREFIX}ClientID=x;{name}=first;{rest};Scope=y")
    assert "s3cond" not in message
    assert "first" not in message
    assert "Part 3" in message
    assert f"set {setting} instead" in message


@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow])
@given(rest=st.text("QZ~;= "))
def test_secret_of_any_text_is_not_in_the_message(rest: str) -> None:
    message = ""
    try:
        parse(f"{PREFIX}ClientSecret=QZ~;{rest}")
    except SettingsError as error:
        message = error.message
    assert not set("QZ~").intersection(message)


@pytest.mark.parametrize("second", ["ClientSecret", "clientsecret", " CLIENTSECRET "])
def test_property_that_occurs_twice_is_refused(second: str) -> None:
    message = refusal(f"{PREFIX}ClientSecret={SECRET};{second}={SECRET};")
    assert "ClientSecret" in message
    assert "twice" in message
    assert SECRET not in message


def test_property_without_effect_that_occurs_twice_is_refused() -> None:
    assert "twice" in refusal(f"{PREFIX}SpyAttributes=a;SpyAttributes=b;")


def test_secret_after_a_semicolon_is_not_in_the_message() -> None:
    message = refusal(f"{PREFIX}ClientSecret=first;s3condHalf;ClientID=x")
    assert "s3condHalf" not in message
    assert "first" not in message
    assert "2" in message


@pytest.mark.parametrize(
    "url",
    [
        "",
        f"ClientSecret={SECRET}",
        f"https://org.api.crm.dynamics.com/?secret={SECRET}",
        f"jdbc:datadirect:dynamics:ClientSecret={SECRET}",
        f"jdbc:datadirect:sqlserver://host;Password={SECRET}",
    ],
)
def test_text_that_is_no_connection_url_is_refused_with_the_prefix(url: str) -> None:
    message = refusal(url)
    assert "connection_url" in message
    assert PREFIX in message
    assert SECRET not in message


VALUES = st.text(st.characters(codec="utf-8", exclude_characters=";"), min_size=1)


@st.composite
def properties(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """Generate a connection URL and the settings in it."""
    chosen = draw(st.dictionaries(st.sampled_from(sorted(SETTINGS)), VALUES))
    parts = []
    for name, value in draw(st.permutations(list(chosen.items()))):
        raised = draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
        written = "".join(
            letter.upper() if up else letter.lower()
            for letter, up in zip(name, raised, strict=True)
        )
        needs_wrapping = value != value.strip() or (value[0] == "{" and value[-1] == "}")
        wrapped = needs_wrapping or draw(st.booleans())
        parts.append(f"{written}={{{value}}}" if wrapped else f"{written}={value}")
    url = PREFIX + ";".join(parts) + draw(st.sampled_from(["", ";"]))
    return url, {SETTINGS[name]: value for name, value in chosen.items()}


@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow])
@given(properties())
def test_value_of_any_text_is_read_exactly(invented: tuple[str, dict[str, str]]) -> None:
    url, settings = invented
    assert parse(url) == (settings, [])


PIECES = st.one_of(
    st.sampled_from([*SETTINGS, *WITHOUT_EFFECT]),
    st.sampled_from([";", "=", "{", "}", " "]),
    st.text(max_size=5),
)


@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(), st.lists(PIECES).map(lambda pieces: PREFIX + "".join(pieces))))
@example(PREFIX + "=")
@example(PREFIX + ";=;")
def test_connection_url_of_any_text_is_read_or_refused(url: str) -> None:
    try:
        settings, ignored = parse(url)
    except SettingsError:
        return
    assert set(settings) <= set(SETTINGS.values())
    assert set(ignored) <= set(WITHOUT_EFFECT)
    assert all(settings.values())
