"""Elastic tables, whose keys have the partition."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.odata.edm import Column, Primitive
from tap_dynamics365.odata.keyset import Keyset
from tap_dynamics365.odata.page import split
from tap_dynamics365.odata.query import build
from tap_dynamics365.services.dataverse import map_changes
from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tap_dynamics365.services.dataverse.retrieve_metadata_changes import Changes
from tap_dynamics365.services.table_definition import ColumnDefinition, Definitions, TableDefinition
from tap_dynamics365.singer.encoder import Encoder, records
from tests.odata.test_query import found, parse, parse_qs
from tests.singer.test_encoder import answer
from tests.tap import Message, Tap, choose, entry, in_one_mode, reads, select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sandbox.client import Sandbox

ID = ["accountid"]
BOTH = ["accountid", "partitionid"]


@in_one_mode
def test_key_of_an_elastic_table_has_its_partition(
    changing_sandbox: Sandbox, tap_for: Callable[..., Tap]
) -> None:
    service = changing_sandbox
    tap = tap_for(service, tables=["account", "team"], replication_method="LOG_BASED")

    def discovered(*, told: bool) -> tuple[list[str], str]:
        service.clear_faults()
        if not told:
            path = "RetrieveMetadataChanges|EntityDefinitions"
            service.fault(path, status=403, code="0x80040220", count=None)
        account = entry(tap.discover(), "account")
        return account["key_properties"], account["replication_method"]

    service.add_column("account", "ttlinseconds", "Edm.Int32")
    service.clear_requests()
    assert discovered(told=True) == (ID, "LOG_BASED")
    # Services without such columns do not know types of tables.
    assert not [r for r in service.requests() if "TableType" in str(r)]
    service.add_column("account", "partitionid")
    # The service says that it is a standard table.
    assert discovered(told=True) == (ID, "LOG_BASED")
    assert [r for r in service.requests() if "TableType" in str(r)]
    # Without the type, columns decide. A deleted row is not identified by its id alone.
    assert discovered(told=False) == (BOTH, "INCREMENTAL")
    service.drop_column("account", "ttlinseconds")
    assert discovered(told=False)[0] == ID


def test_elastic_table_that_is_new_in_a_schema_map_has_its_partition() -> None:
    columns = (
        ColumnDefinition(name="new_sensorid", id="1", kind="UniqueidentifierType"),
        ColumnDefinition(name="partitionid", id="2", kind="StringType"),
    )
    new = TableDefinition(
        name="new_sensor",
        entity_set="new_sensors",
        primary_id="new_sensorid",
        table_type="Elastic",
        columns=columns,
    )
    told, tables = map_changes.apply(Changes([new], frozenset(), "2"), Definitions(stamp="1"), [])
    assert tables is not None
    assert told.tables["new_sensor"].table_type == "Elastic"
    assert Column("partitionid", Primitive("Edm.String")) in tables[0].columns


def test_partition_that_is_null_becomes_the_id() -> None:
    schema: dict[str, Any] = {
        "properties": {
            "value": {"type": ["integer", "null"]},
            "sensorid": {"type": ["string"], "format": "uuid"},
            "partitionid": {"type": ["string"]},
        }
    }
    codec = Encoder(
        "sensor",
        schema,
        lambda _: True,
        ids=["sensorid", "partitionid"],
        partition="partitionid",
    )

    def sent(rows: str) -> list[tuple[str, str]]:
        page = codec.page(split(answer(f'{{"value":[{rows}]}}'), DATAVERSE.dialect))
        return [(row["sensorid"], row["partitionid"]) for row in records(page)]

    null = '{"sensorid":"a1","partitionid":null},{"sensorid":"a2"}'
    assert sent(null) == [("a1", "a1"), ("a2", "a2")]
    assert sent(f'{null},{{"sensorid":"a1","partitionid":"D-1"}}') == [
        ("a1", "a1"),
        ("a2", "a2"),
        ("a1", "D-1"),
    ]


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "changed": st.integers(0, 3),
                "sensor": st.integers(0, 3),
                "partitionid": st.none() | st.text("ab'", max_size=2),
            }
        ),
        min_size=1,
        max_size=12,
        unique_by=lambda row: (row["sensor"], row["partitionid"]),
    ),
    st.data(),
)
def test_rows_after_a_row_are_requested_by_its_partition_too(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    def place(row: dict[str, Any]) -> tuple[Any, ...]:
        partition = row["partitionid"]
        return row["changed"], row["sensor"], partition is not None, partition or ""

    rows.sort(key=place)
    read = data.draw(st.integers(1, len(rows)))
    columns = {"changed": {"type": ["integer"]}, "sensor": {"type": ["integer"]}}
    ids = ["sensor", "partitionid"]
    texts = [msgspec.Raw(msgspec.json.encode(row)) for row in rows[:read]]
    keyset = Keyset("changed", ids, columns, "partitionid")
    assert keyset.order == ("changed", "sensor", "partitionid")
    end = keyset.end(texts)
    assert end is not None
    query = parse_qs(build([], bounded="changed", after=end))
    (text,) = query["$filter"]
    assert [row for row in rows if found(parse(text), row)] == rows[read:]


def pairs(rows: Iterable[Message]) -> list[tuple[str, str]]:
    """Tell rows apart, in order."""
    return sorted((row["new_sensordataid"], row["partitionid"]) for row in rows)


def test_elastic_table_is_identified_sorted_and_resumed_by_its_partition(
    service: Sandbox, tap_for: Callable[..., Tap], catalog: Message
) -> None:
    key = ["new_sensordataid", "partitionid"]
    found = entry(catalog, "new_sensordata")
    assert found["key_properties"] == key
    assert found["replication_method"] == "INCREMENTAL"
    metadata = {tuple(item["breadcrumb"]): item["metadata"] for item in found["metadata"]}
    assert metadata["properties", "partitionid"]["inclusion"] == "automatic"
    chosen = select(catalog, {"new_sensordata": ["new_value"]})
    rows = service.rows("new_sensordata")
    # The second page is too much, and asked for again with fewer rows.
    second = r"new_sensordatas\?.*skiptoken"
    service.fault(second, status=504)
    service.clear_requests()
    run = tap_for(service, fetch_size=12).sync(catalog=chosen)
    assert run.schemas["new_sensordata"]["key_properties"] == key
    assert run.schemas["new_sensordata"]["schema"]["properties"]["partitionid"]["type"] == [
        "string"
    ]
    assert pairs(run.records("new_sensordata")) == pairs(rows)
    log = reads(service.requests(), "new_sensordatas")
    assert all(
        request["query"]["$orderby"] == "modifiedon asc,new_sensordataid asc,partitionid asc"
        for request in log
    )
    assert any("partitionid gt '" in request["query"].get("$filter", "") for request in log)


@in_one_mode
def test_elastic_table_whose_partitions_are_null_arrives_complete(
    service: Sandbox, tap_for: Callable[..., Tap], catalog: Message
) -> None:
    # Those that are an id, and no device.
    own = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    null = [(f'"partitionid":"{own}"', '"partitionid":null')]
    service.fault("new_sensordatas", substitute=null, count=None)
    tap = tap_for(service, fetch_size=7)
    run = tap.sync(catalog=select(catalog, {"new_sensordata": None}))
    rows = service.rows("new_sensordata")
    for row in rows:
        if re.fullmatch(own, row["partitionid"]):
            row["partitionid"] = row["new_sensordataid"]
    assert pairs(run.records("new_sensordata")) == pairs(rows)
    assert any(row["new_sensordataid"] == row["partitionid"] for row in rows)


@in_one_mode
def test_elastic_table_with_log_based_is_read_without_deletes(
    service: Sandbox, tap_for: Callable[..., Tap], catalog: Message
) -> None:
    run = tap_for(service).sync(
        catalog=choose(catalog, "new_sensordata", replication_method="LOG_BASED")
    )
    assert pairs(run.records("new_sensordata")) == pairs(service.rows("new_sensordata"))
    (warning,) = run.logged("WARNING")
    assert "read INCREMENTAL, without deletes" in warning
    assert "no key of one column" in warning
    assert "delta_token" not in run.state["bookmarks"]["new_sensordata"]


@in_one_mode
def test_elastic_table_keeps_its_key_in_a_schema_map(
    service: Sandbox, tap_for: Callable[..., Tap], tmp_path: Path
) -> None:
    tap = tap_for(
        service,
        schema_map=str(tmp_path / "map"),
        create_map="NotExist",
        tables=["new_sensordata"],
    )
    keys = []
    for _ in range(2):
        keys.append(entry(tap.discover(), "new_sensordata")["key_properties"])
        service.fault("metadata|RetrieveMetadataChanges|EntityDefinitions", status=403, count=None)
    assert keys == [["new_sensordataid", "partitionid"]] * 2
