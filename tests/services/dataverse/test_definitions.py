"""Table definitions of Dataverse, from both sources."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import client
from tap_dynamics365.connection import connect
from tap_dynamics365.errors import MetadataError, ServiceError
from tap_dynamics365.odata.edm import Column, Primitive, Table
from tap_dynamics365.services.dataverse import definitions
from tap_dynamics365.services.dataverse.entity_definitions import CASTS
from tap_dynamics365.services.dataverse.metadata_json import (
    AttributeMetadata,
    EntityMetadata,
    MetadataChanges,
)
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.servers.scripted import answer, serving
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from sandbox.client import Sandbox
    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.services.table_definition import ColumnDefinition, Definitions

ENGLISH, GERMAN = 1033, 1031
LARGEST = REPOSITORY.parent / "shared" / "csdl" / "dataverse-v9.xml.gz"


def connected(sandbox: Sandbox, **more: Any) -> ODataClient:
    """The tap's way to a sandbox, signed in."""
    service = connect(Settings.from_config({**sandbox.settings, **more}, JSON_SCHEMA)).client
    service.sign_in()
    sandbox.clear_requests()
    return service


@pytest.fixture
def connection(service: Sandbox) -> ODataClient:
    """The tap's way to the session's Dynamics 365."""
    return connected(service)


def paths(sandbox: Sandbox) -> list[str]:
    """What was asked for."""
    return [request["path"].rpartition("/")[2].partition("(")[0] for request in sandbox.requests()]


def column(found: Definitions, table: str, name: str) -> ColumnDefinition:
    """A column of a table."""
    (chosen,) = (each for each in found.tables[table].columns if each.name == name)
    return chosen


def test_definitions_are_read_in_one_request(service: Sandbox, connection: ODataClient) -> None:
    found = definitions.read(connection)
    assert paths(service) == ["RetrieveMetadataChanges"]
    assert found.stamp
    assert set(found.tables) >= {table["name"] for table in service.tables()}

    account = found.tables["account"]
    assert (account.schema_name, account.entity_set) == ("Account", "accounts")
    assert (account.primary_id, account.primary_name) == ("accountid", "name")
    assert account.display_name.by_language == {ENGLISH: "Account", GERMAN: "Firma"}
    assert account.display_name.text == "Account"
    assert account.display_collection_name.text == "Accounts"
    assert (account.ownership, account.table_type) == ("UserOwned", "Standard")
    assert account.tracked
    assert not account.custom
    assert found.tables["new_project"].custom
    assert found.tables["principalobjectaccess"].private
    assert found.tables["new_externalorder"].provider

    name = column(found, "account", "name")
    assert (name.kind, name.max_length, name.format) == ("StringType", 160, "Text")
    assert name.display_name.by_language[GERMAN] == "Firmenname"
    assert column(found, "account", "revenue").precision == 4
    assert column(found, "contact", "birthdate").behavior == "DateOnly"
    assert column(found, "account", "accountid").required == "SystemRequired"
    contact = column(found, "account", "primarycontactid")
    assert contact.property_name == "_primarycontactid_value"
    assert contact.targets == ("contact",)
    assert column(found, "account", "primarycontactidname").attribute_of == "primarycontactid"

    status = column(found, "opportunity", "statuscode").options
    assert status is not None
    (won,) = (option for option in status.options if option.label.text == "Won")
    assert (won.value, won.state) == (3, 1)
    assert won.label.by_language[GERMAN] == "Gewonnen"
    hold = column(found, "account", "creditonhold").options
    assert hold is not None
    assert {option.value for option in hold.options} == {0, 1}


def test_texts_are_in_the_users_language(changing_sandbox: Sandbox) -> None:
    changing_sandbox.configure(user_language=GERMAN)
    found = definitions.read(connected(changing_sandbox), ["account"])
    assert found.tables["account"].display_name.text == "Firma"
    assert column(found, "account", "name").display_name.text == "Firmenname"


@pytest.mark.parametrize("status", [400, 403, 404, 405, 501])
@pytest.mark.parametrize("names", [None, ["account", "lead", "new_größe"]], ids=["all", "some"])
def test_entity_definitions_without_the_function_give_the_same(
    service: Sandbox, connection: ODataClient, status: int, names: list[str] | None
) -> None:
    usual = definitions.read(connection, names)
    service.configure(no_metadata_changes=status)
    service.clear_requests()
    found = definitions.read(connection, names)
    assert found.tables == usual.tables
    assert not found.stamp
    assert paths(service) == ["RetrieveMetadataChanges", "EntityDefinitions", "$batch"]


def test_definitions_for_a_schema_request_only_what_it_needs(
    service: Sandbox, connection: ODataClient
) -> None:
    whole = definitions.read(connection)
    light = definitions.read(connection, whole=False)
    assert column(light, "account", "statuscode").options is None
    assert column(light, "account", "name") != column(whole, "account", "name")
    assert column(light, "account", "name").max_length == 160
    service.configure(no_metadata_changes=501)
    service.clear_requests()
    definitions.read(connection, whole=False)
    assert paths(service) == ["RetrieveMetadataChanges", "EntityDefinitions"]


@pytest.mark.parametrize("refused", [0, 501])
def test_names_that_no_url_can_hold_are_requested_in_parts(
    service: Sandbox, connection: ODataClient, refused: int
) -> None:
    service.configure(no_metadata_changes=refused)
    names = ["account", *(f"new_{'x' * 90}{number}" for number in range(400)), "team"]
    found = definitions.read(connection, names, whole=False)
    assert set(found.tables) == {"account", "team"}
    # The sandbox refuses what is longer, as the service does.
    assert 2 < len([r for r in service.requests() if "x" * 90 in str(r["query"])]) < 8


def test_definitions_of_a_large_organization_take_few_requests() -> None:
    if not LARGEST.exists():
        pytest.skip(f"{LARGEST} is not there")
    with client.running(rows=0, csdl=LARGEST) as service:
        connection = connected(service)
        whole = definitions.read(connection)
        assert len(whole.tables) == 327
        service.configure(no_metadata_changes=404)
        service.clear_requests()
        assert definitions.read(connection).tables == whole.tables
        assert len(service.requests()) < 6


def test_response_that_cannot_be_decoded_falls_back(
    service: Sandbox, connection: ODataClient
) -> None:
    service.fault("RetrieveMetadataChanges", status=200, body={"EntityMetadata": [{"Name": 1}]})
    found = definitions.read(connection, ["team"])
    assert column(found, "team", "name").max_length == 160
    service.fault("RetrieveMetadataChanges", status=404)
    service.fault("EntityDefinitions", status=200, body={"value": 7})
    with pytest.raises(MetadataError, match="can't be decoded"):
        definitions.read(connection, ["team"])


@pytest.mark.parametrize("body", [{}, {"EntityMetadata": None}, {"EntityMetadata": []}])
def test_response_without_tables_is_refused(
    service: Sandbox, connection: ODataClient, body: dict[str, Any]
) -> None:
    usual = definitions.read(connection)
    service.fault("RetrieveMetadataChanges", status=200, body=body, count=2)
    assert definitions.read(connection).tables == usual.tables
    service.fault("EntityDefinitions", status=200, body={"value": []})
    with pytest.raises(MetadataError, match="definitions are empty"):
        definitions.read(connection)


def test_refusal_is_logged_and_falls_back(service: Sandbox, connection: ODataClient) -> None:
    service.fault("RetrieveMetadataChanges", status=404)
    service.fault("EntityDefinitions", status=403)
    assert definitions.read_if_available(connection, ["team"]) is None


def wide(*names: str) -> list[Table]:
    """Tables with so many columns that each one is described in a response of its own."""
    column = Column("invented", Primitive("Edm.String"))
    return [Table(name, name, (), (column,) * definitions.MOST_COLUMNS) for name in names]


def test_definitions_of_many_columns_are_read_when_their_tables_are_consumed(
    service: Sandbox, connection: ODataClient
) -> None:
    names = ("account", "nowhere", "team")
    usual = definitions.read(connection, names, whole=False).tables
    service.clear_requests()
    found = definitions.of_tables(connection, wide(*names), None, table_types=False)
    assert next(found) == usual["account"]
    assert len(paths(service)) == 1
    assert list(found) == [None, usual["team"]]
    assert len(paths(service)) == 3


def test_refusal_of_the_first_definitions_counts_for_all(
    service: Sandbox, connection: ODataClient
) -> None:
    service.fault("RetrieveMetadataChanges", status=404, count=None)
    service.fault("EntityDefinitions", status=403, count=None)
    names = ("account", "contact", "team")
    found = definitions.of_tables(connection, wide(*names), None, table_types=False)
    assert list(found) == [None, None, None]
    assert paths(service) == ["RetrieveMetadataChanges", "EntityDefinitions"]


@pytest.mark.parametrize("fault", [{"status": 502, "retry_after": "0"}, {"drop": True}])
def test_missing_response_is_not_a_refusal(service: Sandbox, fault: dict[str, Any]) -> None:
    connection = connected(service, ws_retry_count=0)
    service.fault("RetrieveMetadataChanges", count=None, **fault)
    with pytest.raises(ServiceError):
        definitions.read_if_available(connection, ["team"])


@pytest.mark.parametrize("once", [True, False])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/mixed", ""),
        ("application/json", "{}"),
        ("multipart/mixed; boundary=b", "--b--"),
        ("multipart/mixed; boundary=b", "--b\r\nx\r\n\r\nHTTP/1.1 200 OK\r\n\r\n[]\r\n--b--"),
    ],
)
def test_batch_response_that_is_damaged_is_requested_again(
    service: Sandbox, kind: str, body: str, *, once: bool
) -> None:
    connection = connected(service, ws_retry_count=1)
    service.configure(no_metadata_changes=404)
    head = {"Content-Type": kind, "Retry-After": "0"}
    count = 1 if once else None
    service.fault(r"\$batch", status=200, headers=head, body=body, count=count)
    if once:
        assert column(definitions.read(connection, ["team"]), "team", "name").max_length == 160
    else:
        with pytest.raises(ServiceError, match="batch"):
            definitions.read(connection, ["team"])


def test_kind_that_the_service_does_not_know_is_logged_and_left_out(
    service: Sandbox, connection: ODataClient, caplog: pytest.LogCaptureFixture
) -> None:
    usual = definitions.read(connection, ["team"])
    kinds = {each.kind for each in usual.tables["team"].columns}
    casts = {cast for kind, cast in CASTS.items() if kind in kinds}
    told = b'HTTP/1.1 200 OK\r\n\r\n{"value":[{"LogicalName":"name","MaxLength":9}]}'
    words = b'{"error":{"code":"0x8006088a","message":"Resource not found for the segment."}}'
    refused = b"HTTP/1.1 404 Not Found\r\n\r\n" + words
    answers = [told, *[refused] * (len(casts) - 1)]
    parts = [b"--b\r\nContent-Type: application/http\r\n\r\n%s\r\n" % each for each in answers]
    service.configure(no_metadata_changes=404)
    head = {"Content-Type": "multipart/mixed; boundary=b"}
    body = b"".join([*parts, b"--b--\r\n"]).decode()
    service.fault(r"\$batch", status=200, headers=head, body=body)
    found = definitions.read(connection, ["team"])
    assert column(found, "team", "name").max_length == 9
    assert column(found, "team", "description").max_length is None
    assert f"refused {len(casts) - 1} of {len(casts)} requests" in caplog.text


@pytest.mark.parametrize("status", [429, 503, 504])
def test_batch_part_that_is_throttled_is_not_a_refusal(
    service: Sandbox, connection: ODataClient, status: int
) -> None:
    usual = definitions.read(connection, ["team"])
    kinds = {each.kind for each in usual.tables["team"].columns}
    casts = {cast for kind, cast in CASTS.items() if kind in kinds}
    part = f"--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 {status} Later\r\n\r\n{{}}\r\n"
    service.configure(no_metadata_changes=404)
    head = {"Content-Type": "multipart/mixed; boundary=b", "Retry-After": "0"}
    service.fault(r"\$batch", status=200, headers=head, body=part * len(casts) + "--b--\r\n")
    assert definitions.read(connection, ["team"]).tables == usual.tables


LABELS = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "LocalizedLabels": st.none()
        | st.lists(
            st.fixed_dictionaries(
                {}, optional={"Label": st.none() | st.text(), "LanguageCode": st.integers(0, 9999)}
            )
        ),
        "UserLocalizedLabel": st.none()
        | st.fixed_dictionaries({"Label": st.text(), "LanguageCode": st.integers(0, 9999)}),
        "HasChanged": st.none() | st.booleans(),
    },
)
NAMES = st.none() | st.fixed_dictionaries({"Value": st.none() | st.text()})
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    "str | None": st.none() | st.text(),
    "bool | None": st.none() | st.booleans(),
    "int | None": st.none() | st.integers(-(2**31), 2**31),
    "list[str] | None": st.none() | st.lists(st.text()),
    "Name | None": NAMES,
    "Label | None": LABELS,
    "OptionSetMetadata | None": st.none()
    | st.fixed_dictionaries(
        {},
        optional={
            "Name": st.none() | st.text(),
            "Options": st.none()
            | st.lists(
                st.fixed_dictionaries(
                    {"Value": st.none() | st.integers(0, 2**31 - 1), "Label": LABELS}
                )
            ),
            "TrueOption": st.none() | st.fixed_dictionaries({"Value": st.just(1)}),
        },
    ),
}


def members(
    struct: type[msgspec.Struct], **more: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    """Made-up JSON of what a struct takes in: anything may be missing or null."""
    kinds = struct.__annotations__
    optional = {
        encoded: more[name] if name in more else VALUES[kinds[name]]
        for name, encoded in zip(
            struct.__struct_fields__, struct.__struct_encode_fields__, strict=True
        )
        if name != "logical_name"
    }
    return st.fixed_dictionaries(
        {"LogicalName": st.text(), "@odata.type": st.text()}, optional=optional
    )


TABLES = members(
    EntityMetadata, attributes=st.none() | st.lists(members(AttributeMetadata), max_size=3)
)


@given(st.lists(TABLES, max_size=3))
def test_definitions_with_missing_or_null_properties_are_read(tables: list[dict[str, Any]]) -> None:
    answer = json.dumps({"EntityMetadata": tables, "DeletedMetadata": None})
    decoded = msgspec.json.decode(answer, type=MetadataChanges).entity_metadata or []
    found = [table.to_definition() for table in decoded]
    assert [table.name for table in found] == [table["LogicalName"] for table in tables]
    for table, given_table in zip(found, tables, strict=True):
        assert len(table.columns) == len(given_table.get("Attributes") or ())
        label = (given_table.get("DisplayName") or {}).get("UserLocalizedLabel") or {}
        assert table.display_name.text == (label.get("Label") or None)
        # What is kept in a file comes out of it as it went in.
        assert msgspec.json.decode(msgspec.json.encode(table), type=type(table)) == table


def test_name_with_a_quotation_mark_is_a_literal_in_each_request() -> None:
    columns = [{"LogicalName": "size", "AttributeTypeName": {"Value": "PicklistType"}}]
    table = {"LogicalName": "o'brien", "PrimaryIdAttribute": "id", "Attributes": columns}
    told = answer(json.dumps({"value": [table]}).encode())
    part = "--b\r\n\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + json.dumps({"value": []}) + "\r\n--b--"
    batch = answer(part.encode(), Content_Type="multipart/mixed; boundary=b")
    with serving(answer(b"{}", 501), told, batch) as server:
        config = {"service_url": f"{server.url}/api/data/v9.2/", "access_token": "invented"}
        definitions.read(connect(Settings.from_config(config, JSON_SCHEMA)).client, ["o'brien"])
    assert "LogicalName%20eq%20%27o%27%27brien%27" in server.asked[1]
    assert b"EntityDefinitions(LogicalName=%27o%27%27brien%27)" in server.requests[2]
