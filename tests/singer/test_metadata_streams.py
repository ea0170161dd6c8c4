"""Metadata streams: the description of the service as rows."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from singer_sdk.singerlib import Catalog

from sandbox import client
from sandbox.data.model import Kind, Label, OptionSet
from sandbox.dataverse.organisation import MODEL
from tap_dynamics365.singer.metadata_stream import is_metadata_stream
from tests.documents import Document
from tests.singer.test_discovery import assert_golden, readable
from tests.tap import Message, Tap, entry, in_one_mode, own_metadata, reads, select
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox.client import Sandbox
    from sandbox.data.model import Column, Table

pytestmark = in_one_mode

SYNAPSE = [
    "OptionsetMetadata",
    "GlobalOptionsetMetadata",
    "StateMetadata",
    "StatusMetadata",
    "TargetMetadata",
]
STREAMS = [*SYNAPSE, "TableMetadata", "ColumnMetadata"]
CHOICES = {Kind.PICKLIST, Kind.MULTI_SELECT, Kind.BOOLEAN}
FUNCTION = "RetrieveMetadataChanges"
# A real document, too large and not ours to keep here.
DOCUMENT = REPOSITORY.parent / "shared" / "csdl" / "dataverse-v9.xml.gz"
TABLES = 327
PAGE = Document(REPOSITORY / "docs" / "labels-and-metadata.md")

Row = dict[str, Any]


@pytest.fixture(scope="module")
def described(tap: Tap) -> Tap:
    """The tap that describes the session's Dynamics 365."""
    return tap.but(metadata_streams=True)


@pytest.fixture(scope="module")
def organisation() -> Iterator[Sandbox]:
    """A Dynamics 365 with the tables of a whole organisation, without rows."""
    if not DOCUMENT.exists():
        pytest.skip(f"{DOCUMENT} is not there")
    with client.running(rows=0, csdl=DOCUMENT) as running:
        yield running


@pytest.fixture(scope="module")
def whole(described: Tap) -> Message:
    """The catalog of its tables and of what describes them, with the latter selected."""
    return select(described.discover(), dict.fromkeys(STREAMS))


def texts(label: Label) -> dict[str, str]:
    """A label in both languages."""
    return {"1033": label.english, "1031": label.german} if label.english else {}


def labels(label: Label) -> Iterator[Row]:
    """A label as Synapse Link has it."""
    for language, text in texts(label).items():
        yield {
            "IsUserLocalizedLabel": False,
            "LocalizedLabelLanguageCode": int(language),
            "LocalizedLabel": text,
        }


def columns(*kinds: Kind) -> Iterator[tuple[Table, Column]]:
    """The columns of some kinds of all tables that have rows; all kinds if none is named."""
    for table in MODEL.tables:
        for column in table.columns:
            if table.set_name and (not kinds or column.kind in kinds):
                yield table, column


def choices(*, is_global: bool) -> Iterator[tuple[OptionSet, Row]]:
    """The rows of choices that are global or not."""
    for table, column in columns(*CHOICES):
        if column.options is None or column.options.is_global != is_global:
            continue
        for option in column.options.options:
            for label in labels(option.label):
                key = {"EntityName": table.name, "OptionSetName": column.name}
                yield column.options, {**key, "Option": option.value, **label}


def options(kind: Kind) -> Iterator[tuple[Table, Any, Row]]:
    """The options of all columns of a kind, in each language."""
    for table, column in columns(kind):
        for option in column.options.options if column.options else ():
            for label in labels(option.label):
                yield table, option, label


def expected() -> dict[str, list[Row]]:
    """What the streams in the shapes of Synapse Link have to send."""
    return {
        "OptionsetMetadata": [row for _, row in choices(is_global=False)],
        "GlobalOptionsetMetadata": [
            {**row, "GlobalOptionSetName": found.name} for found, row in choices(is_global=True)
        ],
        "StateMetadata": [
            {"EntityName": table.name, "State": option.value, **label}
            for table, option, label in options(Kind.STATE)
        ],
        "StatusMetadata": [
            {"EntityName": table.name, "State": option.state, "Status": option.value, **label}
            for table, option, label in options(Kind.STATUS)
        ],
        "TargetMetadata": [
            {
                "EntityName": table.name,
                "AttributeName": column.name,
                "ReferencedEntity": target,
                "ReferencedAttribute": MODEL.by_name[target].primary_id,
            }
            for table, column in columns()
            for target in column.targets
        ],
    }


def in_order(rows: list[Row]) -> list[Row]:
    """Rows in an order of their own."""
    return sorted(rows, key=lambda row: [str(item) for item in row.items()])


def assert_sent(records: Callable[[str], list[Row]]) -> None:
    """The streams in the shapes of Synapse Link have sent what they have to, both languages."""
    for stream, rows in expected().items():
        assert rows
        assert in_order(records(stream)) == in_order(rows)


def test_metadata_streams_follow_the_tables_in_the_catalog_if_enabled(
    catalog: Message, whole: Message
) -> None:
    tables = [stream["tap_stream_id"] for stream in catalog["streams"]]
    found = [stream["tap_stream_id"] for stream in whole["streams"]]
    assert found == [*tables, *STREAMS]
    for name in STREAMS:
        stream = entry(whole, name)
        assert own_metadata(stream)["selected"]
        assert stream["replication_method"] == "FULL_TABLE"
        properties = stream["schema"]["properties"]
        for item in stream["metadata"]:
            column = item["breadcrumb"][-1:]
            automatic = bool(column) and column[0] in stream["key_properties"]
            assert (item["metadata"]["inclusion"] == "automatic") == automatic or not column
        assert all(properties[name]["description"] for name in properties)


def test_catalog_of_metadata_streams_is_the_golden_file(whole: Message) -> None:
    streams = {name: stream for name, stream in readable(whole).items() if name in STREAMS}
    assert_golden("catalog-of-metadata-streams", streams)


def test_metadata_streams_have_the_columns_of_synapse_link(whole: Message) -> None:
    label = ["IsUserLocalizedLabel", "LocalizedLabelLanguageCode", "LocalizedLabel"]
    choice = ["EntityName", "OptionSetName", "Option", *label]
    assert {name: [*entry(whole, name)["schema"]["properties"]] for name in SYNAPSE} == {
        "OptionsetMetadata": choice,
        "GlobalOptionsetMetadata": [*choice, "GlobalOptionSetName"],
        "StateMetadata": ["EntityName", "State", *label],
        "StatusMetadata": ["EntityName", "State", "Status", *label],
        "TargetMetadata": [
            "EntityName",
            "AttributeName",
            "ReferencedEntity",
            "ReferencedAttribute",
        ],
    }


def test_labels_are_those_of_the_service_in_each_language(described: Tap, whole: Message) -> None:
    run = described.sync(catalog=whole)
    assert_sent(run.records)
    tables = {row["EntityName"]: row for row in run.records("TableMetadata")}
    assert tables.keys() == {table.name for table in MODEL.tables if table.set_name}
    for name, row in tables.items():
        table = MODEL.by_name[name]
        assert row == {
            "EntityName": name,
            "SchemaName": table.schema_name,
            "EntitySetName": table.set_name,
            "LogicalCollectionName": table.set_name,
            "DisplayName": texts(table.label),
            "DisplayCollectionName": texts(table.plural),
            "Description": texts(Label(table.description, table.description)),
            "PrimaryIdAttribute": table.primary_id,
            "PrimaryNameAttribute": table.primary_name or None,
            "OwnershipType": table.ownership,
            "TableType": table.table_type,
            "ChangeTrackingEnabled": table.change_tracking,
            "IsCustomEntity": table.custom,
        }
    assert_columns_sent(run.records("ColumnMetadata"))


def assert_columns_sent(rows: list[Row]) -> None:
    """Each column of the organisation is described."""
    found = {(row["EntityName"], row["AttributeName"]): row for row in rows}
    assert len(found) == len(rows)
    for table, column in columns():
        row = found[table.name, column.name]
        assert row["ColumnName"] == column.property_name
        assert row["AttributeType"] == column.kind
        assert row["AttributeOf"] is None
        assert row["DisplayName"] == texts(column.label)
        assert row["Description"] == texts(Label(column.description, column.description))
        assert row["IsCustomAttribute"] == column.name.startswith("new_")
        is_key = column.name == table.primary_id
        assert row["RequiredLevel"] == ("SystemRequired" if is_key else "None")
        if column.kind is Kind.DATETIME:
            assert row["DateTimeBehavior"] == column.behavior
        if column.kind is Kind.STRING:
            assert row["MaxLength"] == (column.max_length or 100)
        if column.kind is Kind.DECIMAL:
            assert row["Precision"] == column.scale
    shadow = found["opportunity", "statuscodename"]
    assert shadow["AttributeOf"] == "statuscode"
    assert shadow["ColumnName"] is None


def test_rows_fit_their_schema_and_have_unique_keys(described: Tap, whole: Message) -> None:
    run = described.sync(catalog=whole)
    for name in STREAMS:
        schema = run.schemas[name]
        validator = jsonschema.Draft202012Validator(schema["schema"])
        rows = run.records(name)
        for row in rows:
            validator.validate(row)
        keys = {tuple(row[part] for part in schema["key_properties"]) for row in rows}
        assert len(keys) == len(rows)


def test_definitions_are_read_once_and_only_if_a_stream_is_selected(
    service: Sandbox, described: Tap, whole: Message
) -> None:
    described.sync(catalog=select(whole, {"team": None}))
    assert not asked(service, FUNCTION)
    service.clear_requests()
    described.sync(catalog=whole)
    assert len(asked(service, FUNCTION)) == 1
    assert not [request for request in reads(service.requests()) if not is_for(request, FUNCTION)]


def is_for(request: Message, path: str) -> bool:
    """Whether a request is for a path, its arguments apart."""
    name: str = request["path"].rpartition("/")[2]
    return name.startswith(path)


def asked(service: Sandbox, path: str) -> list[Message]:
    """The requests for a path that were served."""
    return [request for request in service.requests() if is_for(request, path)]


def test_metadata_streams_and_their_columns_can_be_selected(described: Tap, whole: Message) -> None:
    wanted: dict[str, list[str] | None] = {"StateMetadata": ["LocalizedLabel"], "team": None}
    run = described.sync(catalog=select(whole, wanted))
    assert set(run.schemas) == {"StateMetadata", "team"}
    key = run.schemas["StateMetadata"]["key_properties"]
    names = {*key, "LocalizedLabel"}
    assert set(run.schemas["StateMetadata"]["schema"]["properties"]) == names
    assert {frozenset(row) for row in run.records("StateMetadata")} == {frozenset(names)}


def test_metadata_streams_without_a_catalog_follow_the_tables(described: Tap) -> None:
    run = described.but(tables=["team", "opportunity"]).sync()
    assert set(run.schemas) == {"team", "opportunity", *STREAMS}
    streams = [m["stream"] for m in run.messages if m["type"] == "RECORD"]
    order = [name for name, _ in groupby(streams)]
    assert set(order[:2]) == {"team", "opportunity"}


def test_tables_that_were_not_discovered_are_not_described(
    service: Sandbox, described: Tap
) -> None:
    tap = described.but(tables=["opportunity", "new_*"])
    catalog = tap.discover()
    service.clear_requests()
    run = tap.sync(catalog=select(catalog, dict.fromkeys(STREAMS)))
    (request,) = asked(service, FUNCTION)
    assert '"opportunity"' in request["query"]["@p1"]
    names = {row["EntityName"] for row in run.records("TableMetadata")}
    assert "opportunity" in names
    assert names == {name for name in MODEL.by_name if name == "opportunity" or name[:4] == "new_"}
    for stream in STREAMS:
        assert {row["EntityName"] for row in run.records(stream)} <= names
    # Tables that lookups refer to are included, whether or not they were discovered.
    everything = {name: in_order(rows) for name, rows in expected().items()}
    for stream, rows in everything.items():
        mine = [row for row in rows if row["EntityName"] in names]
        assert in_order(run.records(stream)) == mine


@pytest.mark.parametrize("status", [400, 404, 501])
def test_metadata_streams_without_the_function_are_the_same(
    service: Sandbox, described: Tap, whole: Message, status: int
) -> None:
    usual = described.sync(catalog=whole)
    service.configure(no_metadata_changes=status)
    run = described.sync(catalog=whole)
    for name in STREAMS:
        assert in_order(run.records(name)) == in_order(usual.records(name))


def test_metadata_streams_come_from_the_schema_map_if_there_is_one(
    service: Sandbox, described: Tap, whole: Message, tmp_path: Path
) -> None:
    tap = described.but(schema_map=str(tmp_path / "map.json"))
    assert_sent(tap.sync(catalog=whole).records)
    service.clear_requests()
    run = tap.but(create_map="No").sync(catalog=whole)
    assert_sent(run.records)
    assert not asked(service, FUNCTION)


@pytest.mark.parametrize("word", ["ForceNew", "OnChange"])
def test_run_with_a_schema_map_requests_the_description_once(
    service: Sandbox, described: Tap, tmp_path: Path, word: str
) -> None:
    run = described.but(
        schema_map=str(tmp_path / "map.json"), create_map=word, tables=["team"]
    ).sync()
    assert run.records("TableMetadata")
    assert len(asked(service, FUNCTION)) == len(asked(service, "$metadata")) == 1


def test_missing_schema_map_with_create_map_no_ends_before_any_read(
    service: Sandbox, described: Tap, whole: Message, tmp_path: Path
) -> None:
    tap = described.but(schema_map=str(tmp_path / "map.json"), create_map="No")
    chosen = select(whole, {"team": None, "StateMetadata": None})
    service.clear_requests()
    run = tap.run(catalog=chosen)
    assert "create_map is No" in run.refusal()
    assert not run.output
    assert not service.requests()
    assert tap.sync(catalog=select(whole, {"team": None})).counts["team"]


def test_schema_map_without_definitions_fails_metadata_streams(
    service: Sandbox, described: Tap, whole: Message, tmp_path: Path
) -> None:
    service.configure(no_metadata_changes=501)
    service.fault("EntityDefinitions", status=403, count=None)
    tap = described.but(schema_map=str(tmp_path / "map.json"), emit_activate_version_messages=True)
    for word in ("OnChange", "NotExist", "No"):
        run = tap.but(create_map=word).run(catalog=select(whole, {"StateMetadata": None}))
        assert run.status == 1
        assert "schema_map holds no table definitions" in run.log
        assert not [m for m in run.messages if m["type"] == "ACTIVATE_VERSION"]


def test_metadata_streams_without_definitions_do_not_stop_the_tables(
    service: Sandbox, described: Tap, whole: Message
) -> None:
    service.configure(no_metadata_changes=501)
    service.fault("EntityDefinitions", status=403, count=None)
    run = described.run(catalog=select(whole, {"team": None, "StateMetadata": None}))
    assert run.status == 1
    assert "Traceback" not in run.log
    assert run.counts["team"]
    assert "StateMetadata" not in run.schemas
    first, last = run.logged("ERROR")
    assert first.startswith("The metadata streams failed.")
    assert last.startswith("1 of 2 ")
    assert "StateMetadata" in last


def test_metadata_streams_have_a_new_version_in_each_run(described: Tap, whole: Message) -> None:
    tap = described.but(emit_activate_version_messages=True)
    state: Message | None = None
    before = 0
    for _ in range(2):
        run = tap.sync(catalog=select(whole, {"StateMetadata": None}), state=state)
        kinds = [kind for kind, _ in groupby(m["type"] for m in run.messages)]
        assert kinds[-3:] == ["RECORD", "ACTIVATE_VERSION", "STATE"]
        (activated,) = [m["version"] for m in run.messages if m["type"] == "ACTIVATE_VERSION"]
        assert {m["version"] for m in run.messages if m["type"] == "RECORD"} == {activated}
        assert activated > before
        before, state = activated, run.state
    assert state
    assert state["bookmarks"]["StateMetadata"] == {"version": before}


def test_catalog_with_other_columns_is_followed(described: Tap, whole: Message) -> None:
    chosen = select(whole, {"StateMetadata": None})
    schema = entry(chosen, "StateMetadata")["schema"]["properties"]
    del schema["IsUserLocalizedLabel"]
    schema["Added"] = {"type": ["string", "null"]}
    rows = described.sync(catalog=chosen).records("StateMetadata")
    assert {frozenset(row) for row in rows} == {frozenset(schema)}
    assert {row["Added"] for row in rows} == {None}


def test_stream_maps_and_flattening_apply_to_metadata_streams(
    described: Tap, whole: Message
) -> None:
    maps = {
        "StateMetadata": {
            "__alias__": "states",
            "__filter__": "LocalizedLabelLanguageCode == 1031",
            "loud": "LocalizedLabel.upper()",
        },
        "OptionsetMetadata": "__NULL__",
    }
    chosen = select(
        whole, {"StateMetadata": None, "TableMetadata": None, "OptionsetMetadata": None}
    )
    plain = described.sync(catalog=chosen)
    run = described.but(stream_maps=maps, flattening_enabled=True, flattening_max_depth=1).sync(
        catalog=chosen
    )
    assert set(run.schemas) == {"states", "TableMetadata"}
    german = [r for r in plain.records("StateMetadata") if r["LocalizedLabelLanguageCode"] == 1031]
    assert run.records("states") == [
        {**row, "loud": row["LocalizedLabel"].upper()} for row in german
    ]
    kinds = run.schemas["TableMetadata"]["schema"]["properties"]["DisplayName"]["type"]
    assert "string" in kinds
    flat = run.records("TableMetadata")
    assert [row["EntityName"] for row in flat] == [
        row["EntityName"] for row in plain.records("TableMetadata")
    ]
    assert all('"1033"' in row["DisplayName"] for row in flat)


def test_stream_map_that_is_invalid_is_reported_in_one_sentence(
    described: Tap, whole: Message
) -> None:
    maps = {"StateMetadata": {"loud": "nothing + 1"}}
    chosen = select(whole, {"StateMetadata": None})
    assert "nothing + 1" in described.but(stream_maps=maps).run(catalog=chosen).refusal()


def test_table_with_the_name_of_a_metadata_stream_is_a_table(whole: Message) -> None:
    (found,) = Catalog.from_dict({"streams": [entry(whole, "StateMetadata")]}).values()
    assert is_metadata_stream(found)
    found.table = "states"
    assert not is_metadata_stream(found)


def test_connection_test_reads_metadata_streams(described: Tap) -> None:
    run = described.but(tables=["opportunity"]).run("--test")
    assert run.status == 0, run.log
    assert set(run.schemas) == {"opportunity", *STREAMS}


def test_metadata_streams_of_an_organisation_take_few_requests(
    organisation: Sandbox, tap_for: Callable[..., Tap]
) -> None:
    tap = tap_for(organisation, metadata_streams=True)
    catalog = select(tap.discover(), dict.fromkeys(STREAMS))
    organisation.clear_requests()
    run = tap.sync(catalog=catalog)
    # One of them for a token.
    assert len(organisation.requests()) == 2
    assert run.counts.keys() >= {"OptionsetMetadata", "TargetMetadata", "ColumnMetadata"}
    assert run.counts["TableMetadata"] == TABLES


def test_document_lists_every_metadata_stream_with_key_and_columns(whole: Message) -> None:
    section = PAGE.sections["Metadata as tables"]
    lines = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
    told = {re.findall(r"`(\w+)`", cells[0])[0]: cells[2:] for cells in lines}
    assert [*told] == STREAMS
    for stream, (key, others) in told.items():
        found = entry(whole, stream)
        columns = found["schema"]["properties"]
        if "the same" in key:
            base = entry(whole, "OptionsetMetadata")
            assert found["key_properties"] == base["key_properties"]
            assert [*columns] == [*base["schema"]["properties"], *re.findall(r"`(\w+)`", others)]
            continue
        assert re.findall(r"`(\w+)`", key) == found["key_properties"]
        rest = [name for name in columns if name not in found["key_properties"]]
        assert re.findall(r"`(\w+)`", others) == rest
