"""Another OData server: odatapy, a port of Apache Olingo."""

from __future__ import annotations

import datetime as dt
import json
import threading
import uuid
from decimal import Decimal
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import jsonschema
import pytest
from odatapy.data import ComplexValue, Entity, Property, ValueType
from odatapy.edm.csdl import (
    CsdlAbstractEdmProvider,
    CsdlComplexType,
    CsdlEntityContainer,
    CsdlEntitySet,
    CsdlEntityType,
    CsdlEnumMember,
    CsdlEnumType,
    CsdlProperty,
    CsdlPropertyRef,
    CsdlSchema,
)
from odatapy.server import OData
from odatapy.server.adapters import ODataWSGIApp
from odatapy.server.inmemory import InMemoryDataStore, InMemoryProcessor

from tests.tap import Tap, entry, look_back

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 25
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Model(CsdlAbstractEdmProvider):
    """Orders with a key of two parts, a complex type, an enumeration, and a base type."""

    def get_schemas(self) -> list[CsdlSchema]:
        """Describe the data."""
        base = CsdlEntityType(
            name="tracked",
            abstract=True,
            properties=[
                CsdlProperty(name="modifiedon", type="Edm.DateTimeOffset", precision=3),
                CsdlProperty(name="createdon", type="Edm.DateTimeOffset"),
            ],
        )
        order = CsdlEntityType(
            name="order",
            base_type="Other.tracked",
            key=[CsdlPropertyRef(name="company"), CsdlPropertyRef(name="number")],
            properties=[
                CsdlProperty(name="company", type="Edm.String", nullable=False),
                CsdlProperty(name="number", type="Edm.Int64", nullable=False),
                CsdlProperty(name="total", type="Edm.Decimal", precision=28, scale=10),
                CsdlProperty(name="state", type="Other.state"),
                CsdlProperty(name="address", type="Other.address"),
                CsdlProperty(name="labels", type="Collection(Edm.String)"),
                CsdlProperty(name="due", type="Edm.Date"),
                CsdlProperty(name="opens", type="Edm.TimeOfDay"),
                CsdlProperty(name="id", type="Edm.Guid"),
                CsdlProperty(name="open", type="Edm.Boolean"),
            ],
        )
        address = CsdlComplexType(
            name="address",
            properties=[
                CsdlProperty(name="street", type="Edm.String"),
                CsdlProperty(name="zip", type="Edm.Int32"),
            ],
        )
        state = CsdlEnumType(
            name="state",
            members=[CsdlEnumMember(name="open", value=0), CsdlEnumMember(name="won", value=1)],
        )
        container = CsdlEntityContainer(
            name="All", entity_sets=[CsdlEntitySet(name="orders", type="Other.order")]
        )
        return [
            CsdlSchema(
                namespace="Other",
                entity_types=[base, order],
                complex_types=[address],
                enum_types=[state],
                entity_container=container,
            )
        ]


def order(number: int) -> Entity:
    """Invent an order; two of each share a moment."""
    row = Entity()
    row.type = "Other.order"
    for name, kind, value in (
        ("company", "Edm.String", f"c{number % 3}"),
        ("number", "Edm.Int64", 2**60 + number),
        ("total", "Edm.Decimal", Decimal("12345678901.1234000000") + number),
        ("due", "Edm.Date", dt.date(2026, 1, 1) + dt.timedelta(days=number)),
        ("opens", "Edm.TimeOfDay", dt.time(7, number)),
        ("id", "Edm.Guid", uuid.UUID(int=number)),
        ("open", "Edm.Boolean", number % 2 == 0),
        ("createdon", "Edm.DateTimeOffset", START),
        ("modifiedon", "Edm.DateTimeOffset", START + dt.timedelta(minutes=number // 2)),
    ):
        row.set_property(name, value, ValueType.PRIMITIVE, kind)
    row.set_property("state", number % 2, ValueType.ENUM, "Other.state")
    row.set_property("labels", ["a", "ß"], ValueType.COLLECTION_PRIMITIVE, "Edm.String")
    address = ComplexValue(
        "Other.address",
        [Property(name="street", value="Main"), Property(name="zip", value=number)],
    )
    row.set_property("address", address, ValueType.COMPLEX, "Other.address")
    return row


REQUESTS: list[str] = []


class Quiet(WSGIRequestHandler):
    """Keeps the access log in memory."""

    def log_message(self, *_: Any) -> None:
        """Add the path of a request."""
        REQUESTS.append(self.path)


class Server(ThreadingMixIn, WSGIServer):
    """Answers several requests at once."""

    daemon_threads = True


@pytest.fixture(scope="module")
def other() -> Iterator[Tap]:
    """A running server of another make, and the tap set up for it."""
    odata = OData.new_instance()
    handler = odata.create_handler(odata.create_service_metadata(Model()))
    store = InMemoryDataStore()
    store.set_entities("orders", [order(number) for number in range(ROWS)])
    handler.register(InMemoryProcessor(store))
    with make_server("127.0.0.1", 0, ODataWSGIApp(handler), Server, Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Tap(
            {
                "service_url": f"http://127.0.0.1:{server.server_port}",
                "access_token": "invented-access-token",
                "fetch_size": 4,
            }
        )
        server.shutdown()


def test_discovery_of_another_server_finds_its_tables(other: Tap) -> None:
    found = entry(other.discover(), "order")
    assert found["table_name"] == "orders"
    assert found["key_properties"] == ["company", "number"]
    assert found["replication_key"] == "modifiedon"
    properties = found["schema"]["properties"]
    assert properties["number"]["type"] == ["integer"]
    assert properties["state"]["type"] == ["string", "null"]
    assert properties["address"]["properties"]["zip"]["type"] == ["integer", "null"]
    assert properties["labels"]["items"]["type"] == ["string", "null"]


def test_description_of_another_server_can_be_kept(other: Tap, tmp_path: Path) -> None:
    kept = other.but(schema_map=str(tmp_path / "map.json"))
    assert kept.discover() == other.discover()
    # Such a service does not report changes, so no request is sent.
    gone = kept.but(create_map="OnChange", proxy_host="127.0.0.1", proxy_port=9)
    assert gone.discover() == other.discover()
    assert gone.but(create_map="ForceNew", ws_retry_count=0).run("--discover").refusal()


def test_name_columns_for_another_server_cause_a_warning(other: Tap) -> None:
    run = other.but(show_name_columns=True).run("--discover")
    assert json.loads(run.output) == other.discover()
    (warning,) = run.logged("WARNING")
    assert warning.startswith("show_name_columns does not apply")


def test_sync_of_another_server_reads_every_row_and_then_only_new_rows(other: Tap) -> None:
    first = other.sync(catalog=other.discover())
    rows = first.records("order")
    assert sorted(row["number"] for row in rows) == [2**60 + number for number in range(ROWS)]
    for row in rows:
        jsonschema.validate(row, first.schemas["order"]["schema"])
    row = next(row for row in rows if row["number"] == 2**60 + 7)
    assert row == {
        "company": "c1",
        "number": 2**60 + 7,
        "total": Decimal("12345678908.1234000000"),
        "state": "won",
        "address": {"street": "Main", "zip": 7},
        "labels": ["a", "ß"],
        "due": "2026-01-08",
        "opens": "07:07:00",
        "id": str(uuid.UUID(int=7)),
        "open": False,
        "createdon": "2026-01-01T00:00:00Z",
        "modifiedon": "2026-01-01T00:03:00Z",
    }
    assert "12345678908.1234000000" in first.output

    catalog = other.discover()
    REQUESTS.clear()
    second = other.sync(catalog=catalog, state=first.state)
    # The state says that no row lacks a date: nothing asks for such rows.
    assert not any("null" in path for path in REQUESTS)
    since = look_back(max(row["modifiedon"] for row in rows))
    new = [row["number"] for row in rows if row["modifiedon"] >= since]
    assert 0 < len(new) < ROWS
    assert [row["number"] for row in second.records("order")] == new


def test_metadata_streams_for_another_server_cause_a_warning(other: Tap) -> None:
    run = other.but(metadata_streams=True).run("--discover")
    assert run.status == 0
    assert [stream["tap_stream_id"] for stream in json.loads(run.output)["streams"]] == ["order"]
    (warning,) = run.logged("WARNING")
    assert warning.startswith("metadata_streams does not apply")


def test_metadata_streams_of_another_services_catalog_are_skipped(other: Tap) -> None:
    catalog = other.discover()
    catalog["streams"].append(
        {
            "tap_stream_id": "StateMetadata",
            "key_properties": ["EntityName"],
            "schema": {"type": "object", "properties": {"EntityName": {"type": ["string"]}}},
            "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}],
        }
    )
    run = other.sync(catalog=catalog)
    assert run.counts == {"order": ROWS}
    assert run.logged("WARNING")[-1].startswith("metadata_streams does not apply")
