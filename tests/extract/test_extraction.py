"""Extraction from the sandbox: what a sync sends, and what it requests."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tap_dynamics365 import __version__
from tests.tap import (
    NOT_ROWS,
    Message,
    Run,
    Tap,
    choose,
    entry,
    in_one_mode,
    look_back,
    reads,
    select,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox

# The fewest columns of a table that stand for the rest.
FEW = {"account": ["name", "revenue"], "team": None, "accountleads": None, "audit": ["action"]}


@pytest.fixture(scope="module")
def everything(tap: Tap, catalog: Message) -> Run:
    """A first sync of all that is selected by default."""
    return tap.sync(catalog=catalog)


def written(row: Message) -> Message:
    """The row with its numbers as they are written: == holds for 1.0 and 1.00."""
    return {k: f"{v:f}" if isinstance(v, Decimal) else v for k, v in row.items()}


def literal(message: Message) -> Callable[[Message], Any]:
    """How the key of a stream's rows is read off them."""
    names = message["key_properties"]
    return lambda row: tuple(row[name] for name in names)


def test_sync_sends_every_value_of_every_row(sandbox: Sandbox, everything: Run) -> None:
    assert len(everything.schemas) > 25
    for stream, message in everything.schemas.items():
        columns = message["schema"]["properties"]
        key = literal(message)
        stored = [{name: row[name] for name in columns} for row in sandbox.rows(stream)]
        arrived = everything.records(stream)
        assert len(arrived) == len(stored), stream
        expected = {key(row): written(row) for row in stored}
        assert {key(row): written(row) for row in arrived} == expected, stream


def test_sync_sends_exactly_the_columns_of_each_table(sandbox: Sandbox, everything: Run) -> None:
    columns = {table["name"]: set(table["columns"]) for table in sandbox.tables()}
    for stream, message in everything.schemas.items():
        assert set(message["schema"]["properties"]) == columns[stream]
        for row in everything.records(stream):
            assert set(row) == columns[stream]


def test_rows_are_valid_against_their_schemas(everything: Run) -> None:
    for stream, message in everything.schemas.items():
        jsonschema.Draft202012Validator.check_schema(message["schema"])
        validator = jsonschema.Draft202012Validator(
            message["schema"], format_checker=jsonschema.FormatChecker()
        )
        for row in everything.records(stream):
            validator.validate(row)


def test_decimals_keep_their_digits_and_trailing_zeros(everything: Run) -> None:
    digits = {str(row["new_tiny"]) for row in everything.records("new_measurement")} - {"None"}
    assert all(len(text.partition(".")[2]) == 10 for text in digits)
    assert any(text.endswith("0") for text in digits)
    assert any(len(str(row["new_factor"])) > 18 for row in everything.records("new_measurement"))


def test_schema_comes_before_rows_and_state_after_them(everything: Run) -> None:
    # A state without bookmarks is not worth a message.
    assert everything.messages[0]["type"] == "SCHEMA"
    described: set[str] = set()
    for message in everything.messages:
        if message["type"] == "SCHEMA":
            assert message["stream"] not in described
            described.add(message["stream"])
        elif message["type"] == "RECORD":
            assert message["stream"] in described
    assert everything.messages[-1]["type"] == "STATE"


def test_state_holds_the_highest_replication_key_of_each_table(everything: Run) -> None:
    bookmarks = everything.state["bookmarks"]
    assert set(bookmarks) == set(everything.schemas)
    for stream, bookmark in bookmarks.items():
        if stream == "bulkdeletefailure":
            assert "replication_key" not in bookmark
            continue
        column = bookmark["replication_key"]
        values = [row[column] for row in everything.records(stream)]
        assert bookmark["replication_key_value"] == max(values)
        assert values == sorted(values)


def test_keys_are_the_primary_ids(sandbox: Sandbox, everything: Run) -> None:
    primary = {table["name"]: [table["primary_id"]] for table in sandbox.tables()}
    # Two rows of an elastic table may have the same id.
    primary["new_sensordata"] += ["partitionid"]
    for stream, message in everything.schemas.items():
        assert message["key_properties"] == primary[stream]
        key = literal(message)
        rows = everything.records(stream)
        assert len({key(row) for row in rows}) == len(rows)
    ids = [row["new_sensordataid"] for row in everything.records("new_sensordata")]
    assert len(set(ids)) < len(ids)


def test_objects_and_64_bit_numbers_arrive_unchanged(everything: Run) -> None:
    flags = [row["iscustomizable"] for row in everything.records("bot")]
    assert all(isinstance(flag["Value"], bool) for flag in flags)
    ticks = [row["versionnumber"] for row in everything.records("new_sensordata")]
    assert all(number > 2**59 for number in ticks)
    # A reader that made doubles of them would have lost their last digits.
    assert any(int(float(number)) != number for number in ticks)


def test_columns_that_are_selected_are_requested_and_sent(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    run = tap.sync(catalog=select(catalog, FEW))
    columns = {"name", "revenue", "accountid", "modifiedon"}
    assert all(set(row) == columns for row in run.records("account"))
    assert set(run.schemas["account"]["schema"]["properties"]) == columns
    asked = reads(service.requests(), "accounts")
    assert asked
    assert all(set(request["query"]["$select"].split(",")) == columns for request in asked)
    audits = reads(service.requests(), "audits")[0]
    assert set(audits["query"]["$select"].split(",")) == {"action", "auditid", "createdon"}


@in_one_mode
def test_tables_that_are_not_selected_are_not_requested(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    run = tap.sync(catalog=select(catalog, FEW))
    assert set(run.schemas) == set(FEW)
    paths = {request["path"].rpartition("/")[2] for request in service.requests()}
    assert paths == {"accounts", "teams", "accountleadscollection", "audits", "token"}


@in_one_mode
def test_key_and_replication_key_are_sent_even_when_deselected(tap: Tap, catalog: Message) -> None:
    chosen = select(catalog, {"contact": []})
    run = tap.sync(catalog=chosen)
    assert {*run.records("contact")[0]} == {"contactid", "modifiedon"}


@in_one_mode
def test_requests_have_the_headers_of_the_tap(service: Sandbox, tap: Tap, catalog: Message) -> None:
    tap.sync(catalog=select(catalog, FEW))
    requests = reads(service.requests())
    assert len(requests) > 4
    for request in requests:
        headers = request["headers"]
        # The first page of each table also has the version of the metadata.
        first = "$skiptoken" not in request["query"] and " lt " not in str(request["query"])
        size, *more = headers["prefer"].split(",")
        assert size == "odata.maxpagesize=100"
        assert not more or (first and "globalmetadataversion" in more[0])
        assert headers["odata-version"] == headers["odata-maxversion"] == "4.0"
        assert headers["user-agent"] == f"tap-dynamics365/{__version__}"
        assert "gzip" in headers["accept-encoding"]
        assert request["authorization"]
        assert not request["cookie"]


@in_one_mode
def test_sync_with_a_catalog_reads_no_metadata(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    tap.sync(catalog=select(catalog, FEW))
    log = service.requests()
    signing_in = [request for request in log if request["path"].endswith("/token")]
    assert len(signing_in) == 1
    assert not NOT_ROWS & {request["path"].rpartition("/")[2] for request in log}


@in_one_mode
def test_sync_without_a_catalog_sends_the_default_selection(tap: Tap) -> None:
    run = tap.but(tables=["team", "principalobjectaccess"]).sync()
    assert set(run.counts) == {"team"}


@pytest.mark.parametrize(
    ("date", "asked"),
    [
        ("2022-01-01", "2022-01-01T00:00:00Z"),
        ("2022-01-01T12:30:00Z", "2022-01-01T12:30:00Z"),
        ("2022-01-01T12:30:00+02:00", "2022-01-01T10:30:00Z"),
    ],
)
def test_start_date_limits_the_first_sync(
    service: Sandbox, tap: Tap, catalog: Message, date: str, asked: str
) -> None:
    run = tap.but(start_date=date).sync(catalog=select(catalog, {"account": [], "audit": []}))
    for stream, column in (("account", "modifiedon"), ("audit", "createdon")):
        values = [row[column] for row in service.rows(stream)]
        expected = sorted(value for value in values if value >= asked)
        assert 0 < len(expected) < len(values)
        assert [row[column] for row in run.records(stream)] == expected
    first = reads(service.requests(), "accounts")[0]
    assert first["query"]["$filter"] == f"modifiedon ge {asked}"


@in_one_mode
def test_start_date_does_not_affect_tables_without_dates(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    chosen = select(catalog, {"teammembership": None, "bulkdeletefailure": None})
    run = tap.but(start_date="2030-01-01").sync(catalog=chosen)
    assert run.counts == {
        name: len(service.rows(name)) for name in ("teammembership", "bulkdeletefailure")
    }
    assert all("$filter" not in request["query"] for request in reads(service.requests()))


def test_state_wins_over_start_date(service: Sandbox, tap: Tap, catalog: Message) -> None:
    chosen = select(catalog, {"account": []})
    first = tap.sync(catalog=chosen)
    service.clear_requests()
    tap.but(start_date="2020-01-01").sync(catalog=chosen, state=first.state)
    bookmark = first.state["bookmarks"]["account"]["replication_key_value"]
    (request,) = reads(service.requests())
    assert request["query"]["$filter"] == f"modifiedon ge {look_back(bookmark)}"


@in_one_mode
@pytest.mark.parametrize(
    ("stream", "column"),
    [
        ("account", "modifiedon"),
        ("teammembership", "versionnumber"),
        ("audit", "createdon"),
        ("bulkdeletefailure", None),
    ],
)
def test_replication_follows_the_columns_a_table_has(
    service: Sandbox,
    tap: Tap,
    catalog: Message,
    stream: str,
    column: str | None,
) -> None:
    found = entry(catalog, stream)
    assert found["replication_method"] == ("INCREMENTAL" if column else "FULL_TABLE")
    assert found.get("replication_key") == column
    run = tap.sync(catalog=select(catalog, {stream: None}))
    (key,) = run.schemas[stream]["key_properties"]
    for request in reads(service.requests()):
        order = request["query"].get("$orderby")
        assert order == (f"{column} asc,{key} asc" if column else None)


def test_second_run_sends_only_changes_and_the_boundary(
    changing_sandbox: Sandbox, tap_for: Callable[..., Tap]
) -> None:
    tap = tap_for(changing_sandbox, tables=["account", "teammembership", "bulkdeletefailure"])
    catalog = tap.discover()
    # Where the key is a number, the second run reads all once more.
    first = tap.sync(catalog=catalog)
    again = tap.sync(catalog=catalog, state=first.state)

    def boundary(stream: str) -> set[str]:
        bookmark = first.state["bookmarks"][stream]
        (key,) = first.schemas[stream]["key_properties"]
        column, value = bookmark["replication_key"], bookmark["replication_key_value"]
        return {row[key] for row in first.records(stream) if row[column] == value}

    changed = first.records("account")[3]["accountid"]
    changing_sandbox.update("account", changed, {"name": "Changed"})
    (added,) = changing_sandbox.insert("account", [{"name": "Added"}])
    changing_sandbox.clear_requests()
    second = tap.sync(catalog=catalog, state=again.state)
    assert {row["accountid"]: row["name"] for row in second.records("account")}.items() >= {
        (changed, "Changed"),
        (added["accountid"], "Added"),
    }
    sent = {row["accountid"] for row in second.records("account")}
    assert sent == {changed, added["accountid"]} | boundary("account")
    memberships = second.records("teammembership")
    assert {row["teammembershipid"] for row in memberships} == boundary("teammembership")
    assert second.counts["bulkdeletefailure"] == first.counts["bulkdeletefailure"]


def test_run_without_changes_costs_one_request_for_each_table(
    service: Sandbox, tap: Tap, catalog: Message, everything: Run
) -> None:
    # Where the key is a number, the second run reads all once more.
    again = tap.sync(catalog=catalog, state=everything.state)
    service.clear_requests()
    tap.sync(catalog=catalog, state=again.state)
    assert len(reads(service.requests())) == len(everything.schemas)


@in_one_mode
def test_replication_key_chosen_in_the_entry_is_used(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    chosen = select(catalog, {"account": ["name"]})
    entry(chosen, "account")["replication_key"] = "versionnumber"
    run = tap.sync(catalog=chosen)
    assert run.state["bookmarks"]["account"]["replication_key"] == "versionnumber"
    assert {*run.records("account")[0]} >= {"name", "accountid", "versionnumber"}
    assert "versionnumber" in run.schemas["account"]["schema"]["properties"]
    second = tap.sync(catalog=chosen, state=run.state)
    service.clear_requests()
    again = tap.sync(catalog=chosen, state=second.state)
    value = run.state["bookmarks"]["account"]["replication_key_value"]
    assert reads(service.requests())[0]["query"]["$filter"] == f"versionnumber ge {value}"
    assert again.counts == {"account": 1}


@in_one_mode
def test_replication_chosen_in_the_metadata_wins(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    by_version = choose(catalog, "account", replication_key="versionnumber")
    run = tap.sync(catalog=by_version)
    assert run.state["bookmarks"]["account"]["replication_key"] == "versionnumber"
    by_nothing = choose(catalog, "account", replication_method="FULL_TABLE")
    service.clear_requests()
    again = tap.sync(catalog=by_nothing, state=run.state)
    assert len(again.records("account")) == len(run.records("account"))
    assert all("$filter" not in request["query"] for request in reads(service.requests()))


@in_one_mode
def test_replication_key_that_the_table_lacks_is_refused_with_its_candidates(
    tap: Tap, catalog: Message
) -> None:
    wrong = choose(catalog, "account", replication_key="changedon")
    sentence = tap.run(catalog=wrong).refusal()
    for word in ("'account'", "'changedon'", "modifiedon", "versionnumber", "createdon"):
        assert word in sentence


@in_one_mode
def test_replication_method_that_is_unknown_is_refused_in_one_sentence(
    tap: Tap, catalog: Message
) -> None:
    wrong = choose(catalog, "account", replication_method="BY_GUESSING")
    sentence = tap.run(catalog=wrong).refusal()
    for word in ("'account'", "BY_GUESSING", "INCREMENTAL", "LOG_BASED", "FULL_TABLE"):
        assert word in sentence


@in_one_mode
def test_catalog_without_table_names_is_refused_in_one_sentence(tap: Tap, catalog: Message) -> None:
    wrong = select(catalog, {"account": None})
    del entry(wrong, "account")["table_name"]
    sentence = tap.run(catalog=wrong).refusal()
    assert "'account'" in sentence
    assert "--discover" in sentence


# How the secrets of the sandbox begin or end, its access tokens (JWT) and the refresh tokens that
# it issues itself included.
SECRETS = ("not-real", "sandbox-secret", "sandbox-refresh", "sandbox-not-signed", "eyJhbGciOi")
FAILURES: dict[str, Message] = {
    "none": {},
    "refused": {"status": 400},
    "throttled": {"throttle": "requests", "retry_after": "0"},
    "dropped": {"drop": True},
    "not-json": {"html": True},
    "token-refused": {"path": "/token", "status": 400},
}


@in_one_mode
@pytest.mark.parametrize("fault", FAILURES.values(), ids=FAILURES.keys())
def test_output_at_debug_has_no_secret(
    service: Sandbox, tap: Tap, catalog: Message, fault: Message
) -> None:
    if fault:
        service.fault(**{"path": "accounts", **fault})
    debugging = replace(tap, environment={"LOGLEVEL": "DEBUG", "SINGER_SDK_LOG_LEVEL": "DEBUG"})
    run = debugging.run(catalog=select(catalog, {"account": ["name"]}))
    assert "| DEBUG" in run.log
    assert not [secret for secret in SECRETS if secret in run.log + run.output]


@in_one_mode
def test_messages_about_wrong_settings_have_no_secret(tap: Tap) -> None:
    secret, token = tap.settings["client_secret"], tap.settings["refresh_token"]
    url = f"jdbc:datadirect:dynamics365:ClientSecret={secret};RefreshToken={token};Oops={secret}"
    wrong: list[Message] = [
        {"client_secret": [secret]},
        {"refresh_token": {"value": token}},
        {"fetch_size": secret},
        {"service_url": secret},
        {"connection_url": url},
        {"connection_url": secret},
        {"start_date": secret},
        {"stream_maps": {"account": secret}},
    ]
    for settings in wrong:
        debugging = replace(tap.but(**settings), environment={"LOGLEVEL": "DEBUG"})
        run = debugging.run("--discover")
        assert run.status == 1, settings
        assert secret not in run.log + run.output, settings
        assert token not in run.log + run.output, settings


def test_stdout_holds_singer_messages_and_nothing_else(tap: Tap) -> None:
    loud = replace(tap.but(tables=["team", "audit"]), environment={"LOGLEVEL": "DEBUG"})
    run = loud.sync()
    assert run.output.endswith("\n")
    assert {message["type"] for message in run.messages} == {"SCHEMA", "RECORD", "STATE"}
