"""Name columns: labels of choices, and names and tables of lookups."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from sandbox import client
from sandbox.data.model import LOOKUPS
from sandbox.dataverse.organisation import MODEL
from tests.labels import ENGLISH, GERMAN, LABELLED, Expected, key_of
from tests.singer.test_discovery import assert_golden
from tests.tap import MODES, Message, Run, Tap, entry, reads, select

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.client import Sandbox
    from sandbox.data.model import Column

LABEL = "OData.Community.Display.V1.FormattedValue"
TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
# Lookups to one table and to several, choices of one value and of several.
SOME = ["opportunity", "new_project", "activitypointer"]

in_each_mode = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)


@pytest.fixture(scope="module")
def source() -> Iterator[Sandbox]:
    """A Dynamics 365 of this file's own, whose user changes the language."""
    with client.running(rows=2_000) as running:
        yield running


@pytest.fixture(scope="module")
def tap(source: Sandbox) -> Tap:
    """The tap set up for name columns, with small pages."""
    return Tap({**source.settings, "fetch_size": 100, "show_name_columns": True})


@pytest.fixture(scope="module")
def catalog(tap: Tap) -> Message:
    """What it discovers."""
    return tap.discover()


def annotations(stream: Message) -> dict[str, str]:
    """The name columns of a stream, and what rows call them."""
    return {
        item["breadcrumb"][-1]: item["metadata"]["annotation"]
        for item in stream["metadata"]
        if "annotation" in item["metadata"]
    }


def added(column: Column) -> dict[str, str]:
    """The name columns that a column should have."""
    if column.kind in LABELLED:
        return {f"{column.name}name": f"{column.property_name}@{LABEL}"}
    if column.kind in LOOKUPS:
        return {
            f"{column.name}name": f"{column.property_name}@{LABEL}",
            f"{column.name}type": f"{column.property_name}@{TABLE}",
        }
    return {}


def test_column_with_a_label_is_followed_by_its_name_column(catalog: Message) -> None:
    assert {stream["tap_stream_id"] for stream in catalog["streams"]} > set(SOME)
    for stream in catalog["streams"]:
        columns = MODEL.by_name[stream["tap_stream_id"]].by_property
        expected: list[str] = []
        found: dict[str, str] = {}
        for name in stream["schema"]["properties"]:
            if name in columns:
                expected += [name, *added(columns[name])]
                found |= added(columns[name])
        assert [*stream["schema"]["properties"]] == expected
        assert annotations(stream) == found
        for name in found:
            assert stream["schema"]["properties"][name]["type"] == ["string", "null"]


def test_name_columns_have_descriptions(tap: Tap) -> None:
    found = tap.but(tables=SOME).discover()["streams"]
    assert_golden(
        "name-columns",
        {
            stream["tap_stream_id"]: {
                name: [annotation, stream["schema"]["properties"][name]["description"]]
                for name, annotation in annotations(stream).items()
            }
            for stream in found
        },
    )


def test_catalog_with_name_columns_is_otherwise_the_same(tap: Tap, catalog: Message) -> None:
    without = tap.but(show_name_columns=None).discover()
    stripped: Message = json.loads(json.dumps(catalog))
    for stream in stripped["streams"]:
        names = annotations(stream)
        stream["metadata"] = [m for m in stream["metadata"] if "annotation" not in m["metadata"]]
        for name in names:
            del stream["schema"]["properties"][name]
    for stream in (*stripped["streams"], *without["streams"]):
        stream["metadata"].sort(key=lambda item: item["breadcrumb"])
    assert stripped == without


def assert_whole(run: Run, source: Sandbox, language: int = ENGLISH) -> None:
    """Hold each value of each row against what it should be."""
    expected = Expected(source, language)
    for stream, message in run.schemas.items():
        key = message["key_properties"]
        validator = jsonschema.Draft202012Validator(message["schema"])
        records = run.records(stream)
        assert {key_of(record, key): record for record in records} == expected.records(stream)
        for record in records:
            validator.validate(record)


@pytest.mark.parametrize("language", [ENGLISH, GERMAN])
def test_labels_and_names_of_every_row_arrive(
    source: Sandbox, tap: Tap, catalog: Message, language: int
) -> None:
    source.configure(user_language=language)
    try:
        run = tap.sync(catalog=catalog)
    finally:
        source.configure(user_language=ENGLISH)
    assert_whole(run, source, language)
    topics = {row["new_topicsname"] for row in run.records("new_project")} - {None}
    assert any("; " in text for text in topics)
    assert {row["customeridtype"] for row in run.records("opportunity")} == {"account", "contact"}


def test_name_columns_are_the_same_in_each_mode_and_without_a_catalog(
    source: Sandbox, tap: Tap, way: dict[str, Any]
) -> None:
    assert_whole(tap.but(**way, tables=SOME).sync(), source)


def test_stream_maps_can_use_name_columns(tap: Tap, catalog: Message) -> None:
    maps = {"opportunity": {"outcome": "statuscodename.upper()", "customeridname": None}}
    chosen = select(catalog, {"opportunity": None})
    plain = tap.sync(catalog=chosen).records("opportunity")
    mapped = tap.but(stream_maps=maps).sync(catalog=chosen).records("opportunity")
    assert [row["outcome"] for row in mapped] == [row["statuscodename"].upper() for row in plain]
    assert "customeridname" not in mapped[0]


SELECTIONS: dict[str, tuple[list[str], set[str], set[str]]] = {
    "neither": (["statuscode", "_customerid_value"], set(), {"statuscode", "_customerid_value"}),
    "labels": (["name", "statuscodename"], {LABEL}, {"name", "statuscode"}),
    "names": (["customeridname"], {LABEL}, {"_customerid_value"}),
    "tables": (["_customerid_value", "customeridtype"], {TABLE}, {"_customerid_value"}),
    "both": (
        ["statuscodename", "customeridtype"],
        {LABEL, TABLE},
        {"statuscode", "_customerid_value"},
    ),
}


@in_each_mode
@pytest.mark.parametrize("case", SELECTIONS)
def test_annotations_are_requested_only_for_selected_columns(
    source: Sandbox, tap: Tap, catalog: Message, mode: dict[str, Any], case: str
) -> None:
    chosen, kinds, columns = SELECTIONS[case]
    always = {"opportunityid", "modifiedon"}
    source.clear_requests()
    run = tap.but(**mode).sync(catalog=select(catalog, {"opportunity": chosen}))
    requests = reads(source.requests(), "opportunities")
    assert len(requests) > 1
    for request in requests:
        assert set(request["query"]["$select"].split(",")) == columns | always
        _, _, included = request["headers"]["prefer"].partition('odata.include-annotations="')
        asked = set(included.rstrip('"').split(",")) - {""}
        assert asked - {"Microsoft.Dynamics.CRM.globalmetadataversion"} == kinds
    assert {record["opportunityid"]: record for record in run.records("opportunity")} == {
        key: {name: record[name] for name in always | set(chosen)}
        for key, record in Expected(source).records("opportunity").items()
    }


def test_name_column_whose_name_is_taken_is_left_out_with_one_message(
    changing_sandbox: Sandbox,
) -> None:
    changing_sandbox.add_column("account", "statuscodename")
    changing_sandbox.add_column("contact", "owneridtype")
    tap = Tap({**changing_sandbox.settings, "show_name_columns": True})
    run = tap.run("--discover")
    account = entry(json.loads(run.output), "account")
    assert "statuscodename" not in annotations(account)
    assert "statecodename" in annotations(account)
    (line,) = [text for text in run.logged("INFO") if "statuscodename" in text]
    assert "account.statuscodename, contact.owneridtype" in line
    (key, *_) = (row["accountid"] for row in changing_sandbox.rows("account"))
    changing_sandbox.update("account", key, {"statuscodename": "The table's own"})
    synced = tap.sync(catalog=select(json.loads(run.output), {"account": None}))
    assert {row["statuscodename"] for row in synced.records("account")} == {None, "The table's own"}


def test_name_columns_come_from_a_schema_map(
    source: Sandbox, tap: Tap, catalog: Message, tmp_path: Path
) -> None:
    keeping = tap.but(schema_map=str(tmp_path / "map.json"))
    assert keeping.discover() == catalog
    source.clear_requests()
    assert keeping.discover() == catalog
    assert "$metadata" not in {request["path"].rpartition("/")[2] for request in source.requests()}


def test_name_columns_without_definitions_cause_a_warning(
    changing_sandbox: Sandbox,
) -> None:
    tap = Tap({**changing_sandbox.settings, "show_name_columns": True, "tables": ["team"]})
    changing_sandbox.configure(no_metadata_changes=501)
    changing_sandbox.fault("EntityDefinitions", status=403, code="0x80040220", count=None)
    run = tap.run("--discover")
    assert run.status == 0
    (line,) = [text for text in run.logged("WARNING") if "show_name_columns" in text]
    assert "does not apply" in line
    assert not annotations(entry(json.loads(run.output), "team"))


def test_name_columns_without_the_function_are_the_same(
    changing_sandbox: Sandbox, catalog: Message
) -> None:
    tap = Tap({**changing_sandbox.settings, "show_name_columns": True, "tables": SOME})
    changing_sandbox.configure(no_metadata_changes=501)
    found = tap.discover()
    for stream in found["streams"]:
        assert annotations(stream) == annotations(entry(catalog, stream["tap_stream_id"]))


def test_value_without_a_label_has_a_null_label(
    changing_sandbox: Sandbox, way: dict[str, Any]
) -> None:
    tap = Tap({**changing_sandbox.settings, **way, "show_name_columns": True, "tables": ["lead"]})
    first, second, third, *_ = [row["leadid"] for row in changing_sandbox.rows("lead")]
    gone, *_ = [row["contactid"] for row in changing_sandbox.rows("contact")]
    changing_sandbox.update("lead", first, {"statuscode": 4_242})
    changing_sandbox.update("lead", second, {"_customerid_value": None})
    lookup = {"_customerid_value": gone, f"_customerid_value@{TABLE}": "contact"}
    changing_sandbox.update("lead", third, lookup)
    changing_sandbox.delete("contact", gone)
    rows = {row["leadid"]: row for row in tap.sync().records("lead")}
    assert rows[first]["statuscode"] == 4_242
    assert rows[first]["statuscodename"] is None
    assert rows[second]["customeridname"] is rows[second]["customeridtype"] is None
    assert rows[third]["_customerid_value"] == gone
    assert rows[third]["customeridname"] is None
    assert rows[third]["customeridtype"] == "contact"


def test_column_that_was_removed_loses_its_label(
    changing_sandbox: Sandbox, catalog: Message, way: dict[str, Any]
) -> None:
    tap = Tap({**changing_sandbox.settings, **way, "show_name_columns": True})
    chosen = select(catalog, {"opportunity": ["opportunityratingcodename", "name"]})
    changing_sandbox.drop_column("opportunity", "opportunityratingcode")
    run = tap.sync(catalog=chosen)
    (warning,) = run.logged("WARNING")
    assert "'opportunityratingcode' of 'opportunity' has left" in warning
    assert {row["opportunityratingcodename"] for row in run.records("opportunity")} == {None}
    assert all(row["name"] for row in run.records("opportunity"))


@in_each_mode
def test_new_column_with_the_name_of_a_name_column_is_reported(
    changing_sandbox: Sandbox, catalog: Message, mode: dict[str, Any]
) -> None:
    tap = Tap({**changing_sandbox.settings, **mode, "show_name_columns": True})
    chosen = select(catalog, {"account": None})
    first = tap.sync(catalog=chosen)
    changing_sandbox.add_column("account", "statuscodename")
    second = tap.sync(catalog=chosen, state=first.state)
    (line,) = [text for text in second.logged("INFO") if "the catalog lacks" in text]
    assert "the catalog lacks: statuscodename." in line


@pytest.mark.parametrize("nonsense", [5, "statuscode", "statuscode@", "statuscode@年", "a@b\n@c"])
def test_other_annotation_in_the_catalog_is_accepted(
    tap: Tap, catalog: Message, nonsense: object
) -> None:
    chosen = select(catalog, {"opportunity": ["statuscodename"]})
    for item in entry(chosen, "opportunity")["metadata"]:
        if item["breadcrumb"] == ["properties", "statuscodename"]:
            item["metadata"]["annotation"] = nonsense
    run = tap.sync(catalog=chosen)
    (warning,) = run.logged("WARNING")
    assert "'statuscodename' of 'opportunity' has left the service" in warning
    assert {row["statuscodename"] for row in run.records("opportunity")} == {None}


def test_name_columns_are_not_replication_keys(tap: Tap, catalog: Message) -> None:
    chosen = select(catalog, {"opportunity": None})
    entry(chosen, "opportunity")["replication_key"] = "statuscodename"
    sentence = tap.run(catalog=chosen).refusal()
    assert "'statuscodename', whose values can't be a bookmark" in sentence
    _, _, able = sentence.partition("Columns that can be its replication key: ")
    assert "modifiedon" in able
    assert "name," not in able


@pytest.mark.parametrize(
    ("text", "is_on"), [("true", True), ("TRUE", True), ("False", False), ("{true}", True)]
)
def test_show_name_columns_takes_the_drivers_values(
    source: Sandbox,
    text: str,
    is_on: bool,  # noqa: FBT001 - a case
) -> None:
    url = f"jdbc:datadirect:dynamics365:ShowNameColumns={text};"
    tap = Tap({**source.settings, "connection_url": url, "tables": ["team"]})
    assert bool(annotations(entry(tap.discover(), "team"))) == is_on


def test_show_name_columns_of_another_value_is_refused_in_one_sentence(source: Sandbox) -> None:
    url = "jdbc:datadirect:dynamics365:ShowNameColumns=yes;"
    sentence = Tap({**source.settings, "connection_url": url}).run("--discover").refusal()
    assert "ShowNameColumns in connection_url must be true or false." in sentence
