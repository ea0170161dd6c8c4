"""Options of the data source: settings by name, and its own."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.spark.options import PARTITIONS, Options

URL = "https://invented.crm.dynamics.com"
APP = {"service_url": URL, "client_id": "an-app", "client_secret": "not-a-real-secret"}
PERSON = {"service_url": URL, "client_id": "an-app", "refresh_token": "not-a-real-token"}


def read(**texts: str) -> Options:
    """Read options, with an app that signs in."""
    return Options.from_texts({**APP, **texts})


def test_options_become_settings_of_their_types() -> None:
    options = read(
        fetch_size="1000",
        show_name_columns="TRUE",
        tables="account, new_*",
        companies='["A, Ltd.", "B"]',
        filters='{"account": "statecode eq 0"}',
    )
    wanted: dict[str, Any] = {
        **APP,
        "fetch_size": 1000,
        "show_name_columns": True,
        "tables": ["account", "new_*"],
        "companies": ["A, Ltd.", "B"],
        "filters": {"account": "statecode eq 0"},
    }
    assert options.config == wanted


def test_options_have_the_table_as_path_or_by_name() -> None:
    assert [read(path="account").table, read(Table="account").table] == ["account", "account"]
    assert read(path="account", table="account").table == "account"
    assert read().table == ""


def test_options_of_a_table_in_a_catalog_of_spark_are_ignored() -> None:
    options = read(owner="invented", provider="dynamics365", **{"option.serialization": "1"})
    assert options.config == APP


def test_options_without_values_have_defaults() -> None:
    options = read()
    assert (options.partitions, options.push_filters, options.changes) == (PARTITIONS, False, "")
    assert options.columns == ()


def test_options_have_columns_in_order() -> None:
    account = {"path": "account"}
    assert read(columns="name, accountid,name", **account).columns == ("name", "accountid")
    assert read(columns='["name", "accountid"]', **account).columns == ("name", "accountid")


def test_option_without_a_value_is_not_set() -> None:
    assert Options.from_texts({**APP, "filter": None, "refresh_token": None}).config == APP


def test_secret_that_begins_with_a_bracket_is_no_list() -> None:
    texts = {**APP, "client_secret": "[not-a-list"}
    assert Options.from_texts(texts).config == texts


def test_options_with_lists_of_apps_have_the_settings_of_each() -> None:
    lists = {"client_id": '["one", "two"]', "client_secret": '["secret-1", "secret-2"]'}
    options = read(**lists)
    assert options.apps == [
        {"client_id": "one", "client_secret": "secret-1"},
        {"client_id": "two", "client_secret": "secret-2"},
    ]
    assert options.config == {"service_url": URL, **options.apps[0]}


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"collumns": "name"}, "Unknown option collumns: rename it to columns"),
        ({"client_secrt": "invented"}, "Unknown option client_secrt: rename it to client_secret"),
        ({"nonsense": "x"}, "Unknown option nonsense: docs/spark.md lists the options"),
        ({"fetch_size": "many"}, "Setting fetch_size must be of type integer"),
        ({"tables": "[broken"}, "Setting tables must be of type array"),
        ({"show_name_columns": "perhaps"}, "Setting show_name_columns must be of type boolean"),
        ({"partitions": "0"}, "The option partitions must be an integer from 1 to 1000"),
        ({"partitions": "eight"}, "The option partitions must be an integer"),
        ({"changes": "all"}, "The option changes must be modifiedon or tracked"),
        ({"push_filters": "yes"}, "The option push_filters must be true or false"),
        (
            {"path": "account", "filter": "name eq 'O'Brien'"},
            "The option filter has a text without its closing",
        ),
        (
            {"path": "account", "filter": "1 eq 1) or (1 eq 1"},
            "The option filter closes a parenthesis",
        ),
        ({"path": "account", "columns": "[broken"}, "The option columns must be names"),
        ({"columns": "name"}, "The option columns needs a table: name it in load"),
        ({"Filter": "statecode eq 0"}, "The option filter needs a table"),
        ({"paths": '["account","contact"]'}, "A DataFrame has one table: call load for each"),
        ({"start_date": "2026-01-01T00:00:00Z"}, "The option start_date is for runs of the tap"),
        ({"stmt_call_limit_behavior": "ReturnResults"}, "A DataFrame has all rows, or fails"),
        ({"metadata_streams": "true"}, "The option metadata_streams is for runs of the tap"),
        ({"path": "account", "table": "contact"}, "name different tables"),
        ({"client_id": '["one", "two"]'}, "must be JSON arrays of the same length"),
        ({"client_id": '["one"]', "client_secret": '["a", "b"]'}, "of the same length"),
        ({"client_secret": '["a", "b"]'}, "must be JSON arrays of the same length"),
        ({"client_id": "[]", "client_secret": "[]"}, "must be JSON arrays of the same length"),
        (
            {"client_id": '["a", "b"]', "client_secret": '["c", "d"]', "refresh_token": "x"},
            "Several apps sign in with client_secret: remove refresh_token",
        ),
        ({"service_url": ""}, "Setting service_url is missing"),
    ],
)
def test_options_that_are_wrong_are_refused_in_one_sentence(
    texts: dict[str, str], words: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(words)) as caught:
        read(**texts)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "texts",
    [
        {"connection_url": "jdbc:datadirect:dynamics365:ServiceURL=x;ClientSecret=invented;"},
        {"client_certificate": "-----BEGIN PRIVATE KEY-----\ninvented\n"},
    ],
    ids=["connection-url", "certificate"],
)
def test_options_that_the_event_log_would_show_are_refused(texts: dict[str, str]) -> None:
    (name,) = texts
    with pytest.raises(SettingsError, match=f"The option {name} would show a secret") as caught:
        read(**texts)
    assert "invented" not in caught.value.message


def test_certificate_in_a_file_is_an_option() -> None:
    texts = {"service_url": URL, "client_id": "an-app", "client_certificate": "/invented/app.pem"}
    assert Options.from_texts(texts).config == texts


def test_options_do_not_show_secrets() -> None:
    assert "not-a-real" not in repr(Options.from_texts(APP))
    assert "not-a-real" not in repr(Options.from_texts(PERSON))
