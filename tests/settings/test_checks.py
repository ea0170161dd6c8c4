"""Checks of values: types, URLs, proxy, dates, choices. No message contains a secret."""

from __future__ import annotations

from typing import Any

import pytest

from tap_dynamics365.settings.table import SETTINGS
from tests.settings.configs import (
    ACCESS_TOKEN,
    PROXY,
    REFRESH_TOKEN,
    SECRET,
    read,
    refusal,
    without,
)
from tests.settings.test_table import SECRETS

URLS = ["service_url", "token_uri", "auth_uri"]
INTEGERS = [name for name, setting in SETTINGS.items() if setting.type == "integer"]


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
        ("fetch_size", 0, "1 or more"),
        ("ws_timeout", -1, "0 or more"),
        ("max_parallel_requests", 53, "52 or less"),
        ("ws_timeout", 2_147_484, "2147483 or less"),
        ("ws_retry_wait_limit", 10**12, "2147483 or less"),
        ("ws_timeout", "soon", "integer"),
    ],
)
def test_value_of_a_wrong_type_is_refused_with_the_right_one(
    name: str, value: object, expected: str
) -> None:
    message = refusal(**{**ACCESS_TOKEN, name: value})
    assert message.startswith(f"Setting {name} must be ")
    assert message.endswith(f"{expected}.")


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("value", [-1, "many", 1.5, [], True])
def test_integer_that_is_none_or_negative_is_refused(name: str, value: object) -> None:
    assert refusal(**{**ACCESS_TOKEN, name: value}).startswith(f"Setting {name} must be ")


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", [[SECRET], {SECRET: SECRET}, {"a": [SECRET]}])
def test_secret_of_a_wrong_type_is_not_in_the_message(name: str, value: object) -> None:
    assert name in refusal(**{**ACCESS_TOKEN, name: value})


def test_several_wrong_values_are_refused_in_one_message() -> None:
    message = refusal(**ACCESS_TOKEN, fetch_size="many", ws_timeout="soon")
    assert "fetch_size" in message
    assert "ws_timeout" in message


def test_integer_with_a_fraction_of_zero_is_an_integer() -> None:
    assert repr(read(**ACCESS_TOKEN, fetch_size=1000.0).fetch_size) == "1000"


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize(
    "url", ["org.api.crm.dynamics.com", "/api/data/v9.2/", "ftp://host/", "https://", "[::1"]
)
def test_url_that_is_not_absolute_is_refused(name: str, url: str) -> None:
    message = refusal(**{**REFRESH_TOKEN, name: url})
    assert message.startswith(f"Setting {name} must be an absolute URL such as https://")


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize("host", ["org.example", "10.0.0.1", "localhost.example", "127.0.0.1.x"])
def test_url_without_encryption_is_refused(name: str, host: str) -> None:
    message = refusal(**{**REFRESH_TOKEN, name: f"http://{host}/path"})
    assert message.startswith(f"Setting {name} must start with https://")
    assert ("binding of type https" in message) is (name == "service_url")


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080"])
def test_url_of_this_machine_without_encryption_is_accepted(name: str, host: str) -> None:
    assert read(**{**REFRESH_TOKEN, name: f"http://{host}/path/"})


@pytest.mark.parametrize("token", ["two words", "a line\n", "with a\ttab", "größe", "Bearer x"])
def test_access_token_that_is_not_one_word_is_refused_without_its_text(token: str) -> None:
    message = refusal(**{**ACCESS_TOKEN, "access_token": token})
    assert "access_token" in message
    assert token not in message


@pytest.mark.parametrize("name", ["proxy_host", "proxy_port", "proxy_user"])
@pytest.mark.parametrize("nothing", ["", None])
def test_proxy_setting_that_is_missing_is_named(name: str, nothing: str | None) -> None:
    message = refusal(**without(PROXY, name))
    assert message.startswith(f"Setting {name} is missing")
    assert refusal(**{**PROXY, name: nothing}) == message


@pytest.mark.parametrize("host", ["http://proxy.example", "proxy.example:8080", "a b", "u:p@host"])
def test_proxy_host_with_more_than_a_host_is_refused(host: str) -> None:
    message = refusal(**{**PROXY, "proxy_host": host})
    assert "proxy_host" in message
    assert "proxy_port" in message


@pytest.mark.parametrize("host", ["proxy", "proxy.example", "10.0.0.1", "2001:db8::1"])
def test_proxy_host_that_is_a_name_or_an_address_is_accepted(host: str) -> None:
    settings = read(**{**PROXY, "proxy_host": host})
    assert (settings.proxy_host, settings.proxy_port) == (host, 8080)


@pytest.mark.parametrize("port", [-1, 65536, "8080"])
def test_proxy_port_that_is_no_port_is_refused(port: object) -> None:
    assert "proxy_port" in refusal(**{**PROXY, "proxy_port": port})


@pytest.mark.parametrize(
    "date",
    ["2026-01-31", "2026-01-31T08:00:00Z", "2026-01-31T08:00:00.5+02:00", "2026-01-31T08:00:00"],
)
def test_start_date_with_or_without_a_time_is_accepted(date: str) -> None:
    assert read(**ACCESS_TOKEN, start_date=date).start_date == date


@pytest.mark.parametrize("date", ["yesterday", "31.01.2026", "2026-13-01", "2026-02-30T00:00:00Z"])
def test_start_date_that_is_no_date_is_refused(date: str) -> None:
    assert "start_date" in refusal(**ACCESS_TOKEN, start_date=date)


@pytest.mark.parametrize("method", ["incremental", "INCREMENTAL", "Log_Based"])
def test_replication_method_in_any_letter_case_is_accepted(method: str) -> None:
    settings = read(**ACCESS_TOKEN, replication_method=method)
    assert settings.replication_method == method.upper()


@pytest.mark.parametrize("method", ["FULL_TABLE", "by guessing"])
def test_replication_method_that_is_unknown_is_refused(method: str) -> None:
    message = refusal(**ACCESS_TOKEN, replication_method=method)
    assert message.startswith("Setting replication_method must be INCREMENTAL or LOG_BASED.")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"create_map": "sometimes"},
            "Setting create_map must be OnChange, NotExist, ForceNew, No, or Session.",
        ),
        (
            {"stmt_call_limit_behavior": "stop"},
            "Setting stmt_call_limit_behavior must be ErrorAlways or ReturnResults.",
        ),
        ({"create_map": "no"}, "Setting schema_map is missing: create_map=No requires"),
    ],
)
def test_choice_that_is_unknown_or_contradictory_is_refused(
    config: dict[str, Any], sentence: str
) -> None:
    assert refusal(**ACCESS_TOKEN, **config).startswith(sentence)


@pytest.mark.parametrize("word", ["ReturnResults", "returnresults", "RETURNRESULTS"])
def test_choice_in_any_letter_case_is_accepted(word: str) -> None:
    assert read(**ACCESS_TOKEN, stmt_call_limit_behavior=word).returns_results
    assert not read(**ACCESS_TOKEN).returns_results
