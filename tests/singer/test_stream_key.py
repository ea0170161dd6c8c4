"""Stream key: a catalog that chooses another key than the table's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.tap import Message, Tap, choose, entry, in_one_mode, own_metadata, reads, select

if TYPE_CHECKING:
    from sandbox.client import Sandbox

KEY = "table-key-properties"


def chosen(catalog: Message, table: str, key: Any) -> Message:  # noqa: ANN401 - whatever JSON holds
    """A catalog with one table selected, and a key in its metadata, as Meltano writes it."""
    found = select(catalog, {table: ["name"]})
    own_metadata(entry(found, table))[KEY] = key
    return found


@pytest.mark.parametrize("key", [["accountnumber"], ["statecode", "fax"]], ids="+".join)
def test_key_in_metadata_is_the_key_of_messages_and_loses_no_row(
    service: Sandbox, tap: Tap, catalog: Message, key: list[str]
) -> None:
    run = tap.sync(catalog=chosen(catalog, "account", key))
    assert run.schemas["account"]["key_properties"] == key
    rows = {row["accountid"]: [row[name] for name in key] for row in service.rows("account")}
    sent = run.records("account")
    assert {row["accountid"]: [row[name] for name in key] for row in sent} == rows
    assert len(sent) == len(rows)
    # Rows are sorted by the table's own key. Values of a chosen key may be equal or null, and rows
    # between two pages would be lost.
    orders = {request["query"]["$orderby"] for request in reads(service.requests(), "accounts")}
    assert orders == {"modifiedon asc,accountid asc"}


@in_one_mode
@pytest.mark.parametrize(
    ("key", "words"),
    [
        (["accountid", "invented"], "'invented', which is not a column of it"),
        ("accountid", "a list of column names"),
        ([5], "a list of column names"),
    ],
    ids=str,
)
def test_key_in_metadata_of_no_column_is_refused(
    service: Sandbox,
    tap: Tap,
    catalog: Message,
    key: Any,  # noqa: ANN401 - whatever JSON holds
    words: str,
) -> None:
    run = tap.run(catalog=chosen(catalog, "account", key))
    assert words in run.refusal()
    assert "'account'" in run.refusal()
    assert KEY in run.refusal()
    assert run.output == ""
    assert not reads(service.requests())


@in_one_mode
def test_key_in_metadata_of_a_table_not_selected_does_no_harm(tap: Tap, catalog: Message) -> None:
    found = chosen(catalog, "account", ["invented"])
    own_metadata(entry(found, "account"))["selected"] = False
    own_metadata(entry(found, "team"))["selected"] = True
    assert tap.sync(catalog=found).counts.keys() == {"team"}


@in_one_mode
def test_key_in_the_entry_wins_over_what_discovery_wrote_into_metadata(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    found = select(catalog, {"team": None})
    entry(found, "team")["key_properties"] = ["name"]
    run = tap.sync(catalog=found)
    assert run.schemas["team"]["key_properties"] == ["name"]
    assert len(run.records("team")) == len(service.rows("team"))


@in_one_mode
@pytest.mark.parametrize("key", [None, []], ids=["none", "empty"])
def test_key_missing_in_metadata_is_that_of_the_entry(
    tap: Tap, catalog: Message, key: list[str] | None
) -> None:
    run = tap.sync(catalog=chosen(catalog, "team", key))
    assert run.schemas["team"]["key_properties"] == ["teamid"]
    told = [line for line in run.logged("WARNING") if f"'team' ({KEY}) empty" in line]
    assert len(told) == (key == [])


@in_one_mode
def test_key_in_metadata_turns_tracking_of_deletes_off_with_a_warning(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    found = choose(catalog, "team", replication_method="LOG_BASED")
    own_metadata(entry(found, "team"))[KEY] = ["name"]
    run = tap.sync(catalog=found)
    assert len(run.records("team")) == len(service.rows("team"))
    (warning,) = run.logged("WARNING")
    assert "'team' was read INCREMENTAL, without deletes" in warning
    assert "teamid" in warning


@in_one_mode
def test_key_of_a_metadata_stream_is_the_key_of_messages(tap: Tap) -> None:
    described = tap.but(metadata_streams=True, tables=["team"])
    found = described.discover()
    own_metadata(entry(found, "TargetMetadata"))[KEY] = ["EntityName", "AttributeName"]
    run = described.sync(catalog=found)
    assert run.schemas["TargetMetadata"]["key_properties"] == ["EntityName", "AttributeName"]
