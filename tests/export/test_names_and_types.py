"""Names and types of tables and columns that a destination has already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest

from tap_dynamics365.export.destination import (
    Commit,
    Destination,
    ExportedTable,
    Load,
    RefusedError,
)
from tap_dynamics365.export.opening import open_destination
from tests.export.commits import DELETED_AT, PROPERTIES, SCHEMA, commit, expected, found, key
from tests.export.places import Place

if TYPE_CHECKING:
    from pathlib import Path


def test_column_with_a_finer_type_is_refused_rather_than_rounded(
    place: Place, destination: Destination
) -> None:
    schema = pa.schema([SCHEMA.field("Id"), pa.field("value", pa.int64()), DELETED_AT])
    table = ExportedTable("Account", schema, ("Id",), {**PROPERTIES, "value": {"type": "integer"}})
    rows = pa.Table.from_pylist([{"Id": key(1), "value": 1}], schema=schema)
    destination.write(Commit(table, rows, {}, Load(5, begins=True, ends=True, replaces=True)))
    destination.close()
    again = open_destination(place.to)
    again.progress(["Account"])
    # Columns that a destination adds are no reason to refuse.
    again.write(Commit(table, rows, {}))
    again.close()
    again = open_destination(place.to)
    again.progress(["Account"])
    with pytest.raises(RefusedError) as refusal:
        again.write(commit({2: "1.5"}))
    again.close()
    assert "'value' of 'Account' is " in refusal.value.message
    assert "with --full to export the table from its beginning." in refusal.value.message
    assert ("Change the type at the destination." in refusal.value.message) == (
        place.name == "postgresql"
    )
    assert {row["value"] for row in place.rows("Account")} == {1}


LONG = "EngineeringChangeOrderProductRouteOperationPropertiesResourceRequirements"


def long_named(table: str, *columns: str) -> tuple[ExportedTable, pa.Table]:
    """Return a table with columns of text, and a row of it."""
    schema = pa.schema([SCHEMA.field("Id"), *((name, pa.string()) for name in columns)])
    properties = {name: {"type": ["string", "null"]} for name in columns}
    row = {"Id": key(1), **{name: name[-1] for name in columns}}
    exported = ExportedTable(table, schema, ("Id",), {**PROPERTIES, **properties})
    return exported, pa.Table.from_pylist([row], schema=schema)


def test_long_names_are_written_again_and_are_never_taken_for_each_other(
    place: Place, destination: Destination
) -> None:
    table, rows = long_named(f"{LONG}1", f"{LONG}A", "short")
    destination.write(Commit(table, rows, {}, Load(5, begins=True)))
    destination.close()
    again = open_destination(place.to)
    again.progress([table.name])
    again.write(Commit(table, rows, {}, Load(5, ends=True, replaces=True)))
    others = (long_named(f"{LONG}2", "short"), long_named("Two", f"{LONG}A", f"{LONG}B"))
    for each, content in others:
        load = Load(6, begins=True, ends=True, replaces=True)
        if place.name == "postgresql":
            with pytest.raises(RefusedError, match="have the same name in PostgreSQL"):
                again.write(Commit(each, content, {}, load))
        else:
            again.write(Commit(each, content, {}, load))
            assert again.progress([each.name])
    again.close()
    if place.name == "postgresql":
        names = {f"{LONG}1"[:63]: (f"{LONG}A"[:63], "short")}
    else:
        names = {each.name: tuple(each.schema.names[1:]) for each, _ in (*others, (table, rows))}
    for name, columns in names.items():
        row = place.rows(name)[-1]
        assert tuple(row)[1:] == columns
        assert row[columns[0]] in {"A", "t"}


def test_table_of_the_same_name_in_another_schema_of_duckdb_stays(tmp_path: Path) -> None:
    place = Place("duckdb", tmp_path)
    with duckdb.connect(tmp_path / "rows.duckdb") as connection:
        connection.execute('CREATE SCHEMA marts; CREATE TABLE marts."Account" (value VARCHAR)')
    destination = open_destination(place.to)
    destination.progress(["Account"])
    destination.write(commit({1: "1"}, load=Load(5, begins=True, ends=True, replaces=True)))
    destination.write(commit({1: "2"}))
    destination.close()
    assert found(place) == expected({1: "2"})


def test_rows_that_come_again_out_of_order_are_left_out_of_parquet(tmp_path: Path) -> None:
    place = Place("parquet", tmp_path)
    schema = pa.schema([SCHEMA.field("Id"), ("stamp", pa.int64())])
    table = ExportedTable("Account", schema, ("Id",), PROPERTIES)
    bookmark = {"replication_key": "stamp"}
    # The rows of two companies, and then those of each again.
    for run in ((range(1, 40), range(60, 70)), (range(30, 45), range(65, 75))):
        destination = open_destination(place.to)
        destination.progress(["Account"])
        for stamps in run:
            rows = [{"Id": key(stamp), "stamp": stamp} for stamp in stamps]
            content = pa.Table.from_pylist(rows, schema=schema)
            destination.write(Commit(table, content, bookmark))
        destination.close()
    stamps = sorted(row["stamp"] for row in place.rows("Account"))
    assert stamps == [*range(1, 45), *range(60, 75)]
