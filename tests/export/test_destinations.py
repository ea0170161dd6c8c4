"""What each destination does with rows: upserts, deletes, loads, new and retyped columns."""

from __future__ import annotations

import base64
import datetime as dt
import resource
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_dynamics365.export.destination import (
    Commit,
    Destination,
    DestinationError,
    ExportedTable,
    Load,
    RefusedError,
)
from tap_dynamics365.export.opening import open_destination
from tests.export.commits import DELETED_AT, PROPERTIES, SCHEMA, commit, expected, found, key
from tests.export.places import Place

if TYPE_CHECKING:
    from pathlib import Path


def test_rows_replace_those_with_the_same_key_and_deletes_arrive(
    place: Place, destination: Destination
) -> None:
    destination.write(commit({1: "1", 2: "2", 3: "3"}, load=Load(5, begins=True)))
    destination.write(commit({3: "3.5", 4: "4"}, load=Load(5, ends=True, replaces=True)))
    destination.write(commit({4: "4.5", 5: "5"}, deleted=[1, 9], step=3))
    destination.close()
    if place.upserts:
        assert found(place) == expected({2: "2", 3: "3.5", 4: "4.5", 5: "5"})
    else:
        assert found(place) == expected({1: "1", 2: "2", 3: "3"}) + expected(
            {3: "3.5", 4: "4"}
        ) + expected({4: "4.5", 5: "5"})
    marked = [row for row in place.all_rows("Account") if row.get("_sdc_deleted_at")]
    assert {UUID(str(row["Id"])).int for row in marked} == (
        {1, 9} if place.name in {"parquet", "postgresql"} else set()
    )
    # A row that comes back is no longer marked.
    again = open_destination(place.to)
    assert again.progress(["Account"])["Account"].bookmark["replication_key_value"] == 3
    again.write(commit({1: "1.5"}))
    again.close()
    assert found(place)[1, "1.5000"] == 1


def test_rows_of_a_later_load_replace_the_others_only_at_its_end(
    place: Place, destination: Destination
) -> None:
    number = 10**13
    destination.write(commit({1: "1", 2: "2"}, load=Load(5, begins=True, ends=True, replaces=True)))
    destination.write(commit({2: "2.5"}, load=Load(number, begins=True)))
    # As after an interruption.
    destination.close()
    if place.name == "postgresql":
        assert found(place) == expected({1: "1", 2: "2.5"})
    else:
        assert found(place) == expected({1: "1", 2: "2"})
    again = open_destination(place.to)
    progress = again.progress(["Account", "Other"])
    assert {name: each.load for name, each in progress.items()} == {"Account": number}
    again.write(commit({3: "3"}, load=Load(number, ends=True, replaces=True)))
    assert again.progress(["Account"])["Account"].load is None
    again.close()
    assert found(place) == expected({2: "2.5", 3: "3"})


def test_rows_of_a_load_that_begins_again_are_those_of_the_second_one(
    place: Place, destination: Destination
) -> None:
    number = 10**13
    destination.write(commit({1: "1"}, load=Load(5, begins=True, ends=True, replaces=True)))
    destination.write(commit({2: "2", 3: "3"}, load=Load(number, begins=True)))
    destination.write(
        commit({3: "3.5"}, load=Load(number + 1, begins=True, ends=True, replaces=True))
    )
    destination.close()
    assert found(place) == expected({3: "3.5"})


def test_load_that_did_not_read_everything_keeps_the_other_rows(
    place: Place, destination: Destination
) -> None:
    number = 10**13
    destination.write(commit({1: "1", 2: "2"}, load=Load(5, begins=True, ends=True, replaces=True)))
    destination.write(commit({2: "2.5"}, load=Load(number, begins=True)))
    destination.write(commit({3: "3"}, load=Load(number, ends=True)))
    destination.close()
    if place.upserts:
        assert found(place) == expected({1: "1", 2: "2.5", 3: "3"})
    else:
        assert found(place) == expected({1: "1", 2: "2"}) + expected({2: "2.5", 3: "3"})


def test_rows_without_a_key_are_replaced_by_the_next_load(
    place: Place, destination: Destination
) -> None:
    table = ExportedTable("Account", SCHEMA, (), PROPERTIES)
    rows = commit({1: "1", 2: "2"}).rows
    for number in (5, 10**13):
        load = Load(number, begins=True, ends=True, replaces=True)
        destination.write(Commit(table, rows, {}, load))
    destination.close()
    assert found(place) == expected({1: "1", 2: "2"})
    assert len(place.all_rows("Account")) == 2


def test_new_column_is_added_and_a_dropped_one_stays(
    place: Place, destination: Destination
) -> None:
    destination.write(commit({1: "1"}, load=Load(5, begins=True, ends=True, replaces=True)))
    schema = pa.schema([SCHEMA.field("Id"), pa.field("Name", pa.string()), DELETED_AT])
    properties = {**PROPERTIES, "Name": {"type": ["string", "null"]}}
    table = ExportedTable("Account", schema, ("Id",), properties)
    for number in (2, 1):
        rows = pa.Table.from_pylist([{"Id": key(number), "Name": "new"}], schema=schema)
        destination.write(Commit(table, rows, {}))
    destination.close()
    rows = {UUID(str(row["Id"])).int: row for row in place.rows("Account")}
    assert rows[1]["Name"] == rows[2]["Name"] == "new"
    if place.upserts:
        assert rows[2]["value"] is None


def test_retyped_column_is_one_sentence_and_leaves_the_rows(
    place: Place, destination: Destination
) -> None:
    destination.write(commit({1: "1"}, load=Load(5, begins=True, ends=True, replaces=True)))
    schema = pa.schema([SCHEMA.field("Id"), pa.field("value", pa.string())])
    table = ExportedTable("Account", schema, ("Id",), {**PROPERTIES, "value": {"type": "string"}})
    rows = pa.Table.from_pylist([{"Id": key(1), "value": "one"}], schema=schema)
    change = Commit(table, rows, {"replication_key_value": 2})
    with pytest.raises(RefusedError) as refusal:
        destination.write(change)
    assert "'Account'" in refusal.value.message
    assert "\n" not in refusal.value.message
    # Another table goes on.
    other = ExportedTable("Other", SCHEMA, ("Id",), PROPERTIES)
    destination.write(Commit(other, commit({4: "4"}).rows, {}, Load(6, begins=True)))
    progress = destination.progress(["Account", "Other"])
    assert progress["Account"].bookmark["replication_key_value"] == 1
    destination.close()
    assert found(place) == expected({1: "1"})
    assert len(place.rows("Other")) == 1


def test_disk_that_is_full_is_what_the_message_of_duckdb_says(tmp_path: Path) -> None:
    place = Place("duckdb", tmp_path)
    destination = open_destination(place.to)
    destination.progress(["Account"])
    destination.write(commit({1: "1"}, load=Load(5, begins=True)))
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    # As a full disk, but without a file system of its own.
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, most))
    try:
        with pytest.raises(DestinationError, match="File too large"):
            destination.write(commit(dict.fromkeys(range(100_000), "2")))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        destination.close()
    assert found(place) == expected({1: "1"})


VALUES = st.fixed_dictionaries(
    {
        "decimal": st.none() | st.decimals(-(10**20), 10**20, places=4),
        "double": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "moment": st.none() | st.datetimes(dt.datetime(1753, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001
        "local": st.none() | st.datetimes(dt.datetime(1753, 1, 1)),  # noqa: DTZ001
        "date": st.none() | st.dates(dt.date(1753, 1, 1)),
        "text": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
        "binary": st.none() | st.binary(),
        "flag": st.none() | st.booleans(),
        "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
        "small": st.none() | st.integers(-(2**31), 2**31 - 1),
    }
)
VALUE_SCHEMA = pa.schema(
    [
        pa.field("Id", pa.string(), nullable=False),
        ("decimal", pa.decimal128(38, 4)),
        ("double", pa.float64()),
        ("moment", pa.timestamp("us", "UTC")),
        ("local", pa.timestamp("us")),
        ("date", pa.date32()),
        ("text", pa.string()),
        ("binary", pa.binary()),
        ("flag", pa.bool_()),
        ("whole", pa.int64()),
        ("small", pa.int32()),
    ]
)
MOMENT = {"type": ["string", "null"], "format": "date-time"}
VALUE_PROPERTIES = {
    "Id": {"type": ["string"], "format": "uuid"},
    "decimal": {"type": ["number", "null"]},
    "double": {"type": ["number", "null"]},
    "moment": MOMENT,
    "local": MOMENT,
    "date": {"type": ["string", "null"], "format": "date"},
    "text": {"type": ["string", "null"]},
    "binary": {"type": ["string", "null"], "contentEncoding": "base64"},
    "flag": {"type": ["boolean", "null"]},
    "whole": {"type": ["integer", "null"]},
    "small": {"type": ["integer", "null"]},
}


def in_postgresql(name: str, value: Any) -> object:  # noqa: ANN401 - a value of any type
    """Return how target-postgres stores a value."""
    if value is None:
        return None
    match name:
        case "Id":
            return UUID(value)
        case "moment":
            return value.replace(tzinfo=None)
        case "text":
            return value.replace("\0", "\ufffd")
        case "binary":
            return base64.b64encode(value).decode()
    return value


@settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(values=st.lists(VALUES, min_size=1, max_size=20))
def test_values_of_each_type_are_the_same_to_the_digit(
    place: Place, values: list[dict[str, Any]]
) -> None:
    rows = [{"Id": key(number), **row} for number, row in enumerate(values)]
    table = ExportedTable("Values", VALUE_SCHEMA, ("Id",), VALUE_PROPERTIES)
    destination = open_destination(place.to)
    before = destination.progress(["Values"]).get("Values")
    number = before.bookmark["n"] + 1 if before is not None else 10**13
    content = pa.Table.from_pylist(rows, schema=VALUE_SCHEMA)
    load = Load(number, begins=True, ends=True, replaces=True)
    destination.write(Commit(table, content, {"n": number}, load))
    destination.close()
    wanted = {
        row["Id"]: {
            name: in_postgresql(name, value) if place.name == "postgresql" else value
            for name, value in row.items()
        }
        for row in rows
    }
    found = {str(row["Id"]): row for row in place.rows("Values")}
    for row in found.values():
        if isinstance(row["double"], Decimal):
            # PostgreSQL writes other digits of the same double.
            row["double"] = float(row["double"])
    assert found == wanted
