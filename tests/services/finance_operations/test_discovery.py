"""Discovery of Finance & Operations: names, selection, types, keys, and the schema map."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.finance_operations.service import SETS, customer, document, entity, prop, rows
from tests.services.finance_operations.service import running as service
from tests.tap import Message, choose, entry, own_metadata, select

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def catalog() -> Message:
    """The catalog of all tables."""
    with service() as running:
        return running.tap.discover()


def columns(catalog: Message, stream: str) -> Message:
    """The columns of a stream."""
    found: Message = entry(catalog, stream)["schema"]["properties"]
    return found


def found(*patterns: str) -> list[str]:
    """The streams that patterns find."""
    with service(tables=[*patterns]) as running:
        return [stream["tap_stream_id"] for stream in running.tap.discover()["streams"]]


def test_streams_are_named_after_entity_sets(catalog: Message) -> None:
    assert [stream["tap_stream_id"] for stream in catalog["streams"]] == [*SETS]
    assert [stream["table_name"] for stream in catalog["streams"]] == [*SETS]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("CustomersV3", ["CustomersV3"]),
        ("customersv3", ["CustomersV3"]),
        ("CustomerV3", ["CustomersV3"]),
        ("CUSTOMERV3", ["CustomersV3"]),
        ("Charge", ["Charge"]),
        ("charges", ["Charges"]),
        ("Charge*", ["Charge", "Charges"]),
        ("?ates", ["Rates"]),
        ("rate", ["Rates"]),
    ],
)
def test_pattern_matches_the_set_or_its_type_and_sets_win(
    pattern: str, expected: list[str]
) -> None:
    assert found(pattern) == expected


def test_discovery_without_tables_selects_none_and_says_why() -> None:
    with service() as running:
        run = running.tap.run("--discover")
    assert run.status == 0, run.log
    for stream in json.loads(run.output)["streams"]:
        metadata = own_metadata(stream)
        assert (metadata["selected"], metadata["selected-by-default"]) == (False, False)
    (line,) = [line for line in run.logged("INFO") if line.startswith("No table is selected")]
    assert "setting tables" in line
    assert "meltano select" in line


def test_discovery_with_tables_selects_what_matches() -> None:
    with service(tables=["Rates"]) as running:
        run = running.tap.run("--discover")
    (stream,) = json.loads(run.output)["streams"]
    assert own_metadata(stream)["selected"]
    assert "No table is selected" not in run.log


def test_sync_without_catalog_and_tables_is_refused_before_any_request() -> None:
    with service() as running:
        run = running.tap.run()
        assert "set tables" in run.refusal()
        assert not run.output
        assert not running.server.asked


def test_sync_of_a_catalog_that_selects_nothing_says_so(catalog: Message) -> None:
    with service() as running:
        run = running.tap.sync(catalog=catalog)
        assert not running.server.asked
    (warning,) = run.logged("WARNING")
    assert "selects no table" in warning


def test_stream_that_is_selected_in_the_catalog_has_all_columns(catalog: Message) -> None:
    with service({"CustomersV3": rows(customer(1))}, cross_company=False) as running:
        run = running.tap.sync(catalog=choose(catalog, "CustomersV3"))
    assert run.records("CustomersV3") == [customer(1)]


def test_types_of_columns_are_those_of_rows(catalog: Message) -> None:
    properties = columns(catalog, "CustomersV3")
    types = {name: column["type"] for name, column in properties.items()}
    assert types == {
        "dataAreaId": ["string"],
        "CustomerAccount": ["string"],
        "OneTime": ["string", "null"],
        "Zone": ["string", "null"],
        "CreditLimit": ["number", "null"],
        "PartyRecordId": ["integer", "null"],
        "Born": ["string", "null"],
        "ValidTo": ["string", "null"],
        "Opens": ["integer", "null"],
        "Packed": ["string", "null"],
        "SysRecVersion": ["integer", "null"],
    }
    assert properties["Born"]["format"] == properties["ValidTo"]["format"] == "date-time"
    assert properties["Packed"]["contentEncoding"] == "base64"


def test_descriptions_say_what_types_do_not_tell(catalog: Message) -> None:
    described = {
        name: column["description"]
        for name, column in columns(catalog, "CustomersV3").items()
        if "description" in column
    }
    assert described == {
        "OneTime": "Enumeration Microsoft.Dynamics.DataEntities.NoYes: No, Yes.",
        "Zone": "Enumeration Microsoft.Dynamics.DataEntities.Timezone.",
        "Born": "A date: noon UTC stands for no time of day, and 1900-01-01 for no date.",
        "ValidTo": "1900-01-01T00:00:00Z stands for no time, and 2154-12-31T23:59:59Z for no end.",
        "Opens": "Seconds after midnight.",
    }


def test_enumeration_in_the_key_is_nullable_and_the_key_is_kept(catalog: Message) -> None:
    key = ["dataAreaId", "Kind", "Line"]
    assert entry(catalog, "Rates")["key_properties"] == key
    types = {name: columns(catalog, "Rates")[name]["type"] for name in key}
    assert types == {"dataAreaId": ["string"], "Kind": ["string", "null"], "Line": ["integer"]}
    row = {
        "dataAreaId": "dat",
        "Kind": None,
        "Line": 2**40,
        "ModifiedOn": "",
        "SysModifiedDateTime": "2026-01-31T00:00:00Z",
        "CreatedOn": "1900-01-01T00:00:00Z",
    }
    with service({"Rates": rows(row)}, cross_company=True) as running:
        run = running.tap.sync(catalog=select(catalog, {"Rates": None}))
    # Targets can't store null in a key.
    assert run.records("Rates") == [{**row, "Kind": ""}]
    assert run.schemas["Rates"]["key_properties"] == key
    assert "An empty text stands for" in columns(catalog, "Rates")["Kind"]["description"]


@pytest.mark.parametrize("chosen", [["dataAreaId", "Line"], ["Line"], ["CreatedOn", "Line"]])
def test_key_that_the_catalog_chooses_leaves_the_own_key_with_the_enumeration(
    catalog: Message, chosen: list[str]
) -> None:
    changed = select(catalog, {"Rates": None})
    own_metadata(entry(changed, "Rates"))["table-key-properties"] = chosen
    with service(cross_company=True) as running:
        run = running.tap.sync(catalog=changed)
        (read,) = running.reads
    assert run.schemas["Rates"]["key_properties"] == chosen
    assert "dataAreaId" in read.partition("$orderby=")[2]


def test_replication_key_is_the_first_of_the_list_that_is_a_time_or_number() -> None:
    def made(*names: str) -> str:
        kinds = {"ModifiedOn": "Edm.String", "SysRowVersion": "Edm.Int64"}
        return "".join(prop(name, kinds.get(name, "Edm.DateTimeOffset")) for name in names)

    tables = {
        "Versions": ("SysModifiedDateTime", "SysRowVersion"),
        "Times": ("LastModifiedOn", "ModifiedDateTime1", "ModifiedDateTime"),
        "Texts": ("ModifiedOn",),
        "Random": ("SysRecVersion", "RecVersionValue", "CreatedOn", "SysCreatedDateTime"),
    }
    kinds = "".join(
        entity(f"{name}Type", ("Id",), prop("Id", "Edm.Guid"), made(*columns))
        for name, columns in tables.items()
    )
    with service(data=document(kinds, {name: f"{name}Type" for name in tables})) as running:
        streams = running.tap.discover()["streams"]
    keys = {stream["tap_stream_id"]: stream.get("replication_key") for stream in streams}
    assert keys == {
        "Versions": "SysRowVersion",
        "Times": "ModifiedDateTime",
        "Texts": None,
        "Random": None,
    }
    methods = {stream["tap_stream_id"]: stream["replication_method"] for stream in streams}
    assert methods["Random"] == "FULL_TABLE"


@pytest.mark.parametrize("create_map", ["OnChange", "NotExist", "No"])
def test_second_discovery_with_a_schema_map_sends_no_request(
    tmp_path: Path, create_map: str
) -> None:
    settings: dict[str, Any] = {"schema_map": str(tmp_path / "map.json")}
    with service(**settings, tables=["rate"]) as running:
        first = running.tap.discover()
        running.server.asked.clear()
        again = running.tap.but(create_map=create_map)
        assert again.discover() == first
        assert [s["tap_stream_id"] for s in again.but(tables=None).discover()["streams"]] == [*SETS]
        assert not running.server.asked


def test_many_selected_tables_are_reported_once() -> None:
    names = [f"Set{number}" for number in range(301)]
    kinds = "".join(
        entity(f"{name}Type", ("Id",), prop("Id", "Edm.Guid"), prop("A", "Edm.String"))
        for name in names
    )
    data = document(kinds, {name: f"{name}Type" for name in names})
    with service(data=data, cross_company=True) as running:
        catalog = running.tap.discover()
        every = running.tap.sync(catalog=select(catalog, dict.fromkeys(names)))
        fewer = running.tap.sync(catalog=select(catalog, dict.fromkeys(names[1:])))
    (warning,) = every.logged("WARNING")
    assert warning.startswith("301 tables")
    assert "meltano select" in warning
    assert not fewer.logged("WARNING")
