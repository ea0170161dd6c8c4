"""Captions of tables and columns, which are titles in the catalog."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.scripted import answer
from tests.services.business_central.documents import STANDARD, EntitySet, document, prop, running
from tests.tap import Message, Tap, entry

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.central_client import CentralSandbox

SET = "entityDefinitions"
PATH = f"api/v2.0/{SET}"
ENGLISH, GERMAN, FRENCH = 1033, 1031, 1036


def titles(catalog: Message, stream: str) -> dict[str, str | None]:
    """The titles of a stream, under an empty name, and of its columns."""
    schema = entry(catalog, stream)["schema"]
    columns = {name: column.get("title") for name, column in schema["properties"].items()}
    return {"": schema.get("title"), **columns}


def captions(**texts: str) -> list[dict[str, Any]]:
    """Captions by language: `en`, `de` or `fr`."""
    codes = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH}
    return [{"languageCode": codes[name], "caption": text} for name, text in texts.items()]


def definition(entity_set: str, own: list[Any], **columns: list[Any]) -> dict[str, Any]:
    """A row of the set of captions."""
    return {
        "entityName": "x",
        "entitySetName": entity_set,
        "entityCaptions": captions(en="Not this"),
        "entitySetCaptions": own,
        "properties": [{"name": name, "captions": found} for name, found in columns.items()],
        "actions": [],
        "enumMembers": [],
    }


BINS = document(EntitySet("bins", parts=(prop("code"), prop("zone"))))


def test_captions_in_english_are_titles(central: CentralSandbox) -> None:
    found = titles(Tap(central.settings).discover(), "customers")
    assert found[""] == "Customers"
    assert found["displayName"] == "Display name"
    # The tap's own columns have none.
    assert found["company_id"] is None


def test_captions_of_all_pages_are_titles(central: CentralSandbox) -> None:
    central.configure(page_size_cap=2)
    catalog = Tap(central.settings).discover()
    assert all(titles(catalog, each["tap_stream_id"])[""] for each in catalog["streams"])


def test_caption_without_english_is_the_first_one() -> None:
    row = definition(
        "bins",
        captions(de="Lagerplätze", fr="Emplacements"),
        code=captions(fr="Code fr", en="Code en"),
        zone=captions(en="", de="Zone de"),
        nosuch=captions(en="No such"),
        id=[],
    )
    other = definition("other", captions(en="Other"))
    with running({STANDARD: BINS}, {PATH: [row, other]}) as service:
        catalog = service.tap.discover()
    assert titles(catalog, "bins") == {
        "": "Lagerplätze",
        "company_id": None,
        "company_name": None,
        "id": None,
        "code": "Code en",
        "zone": "Zone de",
    }


def test_captions_are_titles_of_selected_tables_only(central: CentralSandbox) -> None:
    catalog = Tap({**central.settings, "tables": ["items"]}).discover()
    (stream,) = catalog["streams"]
    assert titles(catalog, "items")["unitPrice"] == "Unit price"
    assert stream["schema"] == entry(Tap(central.settings).discover(), "items")["schema"]


@pytest.mark.parametrize("root", ["api/sandbox/loyalty/v1.0", "ODataV4"])
def test_captions_are_not_requested_of_other_apis(central: CentralSandbox, root: str) -> None:
    central.clear_requests()
    catalog = Tap({**central.settings, "service_url": central.api_url(root)}).discover()
    assert not [r for r in central.requests() if r["path"].endswith(SET)]
    assert not any(titles(catalog, each["tap_stream_id"])[""] for each in catalog["streams"])


def test_captions_of_the_standard_api_beside_web_services_are_titles(
    central: CentralSandbox,
) -> None:
    root = central.api_url("ODataV4")
    tap = Tap({**central.settings, "service_url": root, "api_routes": ["v2.0"]})
    catalog = tap.discover()
    assert titles(catalog, "customers")[""] == "Customers"
    assert titles(catalog, "Customer_Card")[""] is None


@pytest.mark.parametrize("status", [400, 403, 404, 501])
def test_refusal_of_the_captions_loses_only_the_titles(
    central: CentralSandbox, status: int
) -> None:
    expected = Tap(central.settings).discover()
    central.fault(SET, status=status, count=None)
    run = Tap(central.settings).run("--discover")
    assert run.status == 0, run.log
    (warning,) = run.logged("WARNING")
    assert "no titles" in warning
    assert str(status) in warning
    for stream in expected["streams"]:
        schema = stream["schema"]
        for described in (schema, *schema["properties"].values()):
            described.pop("title", None)
    assert json.loads(run.output) == expected


@pytest.mark.parametrize(
    "rows",
    [
        answer(b"{}"),
        answer(b'{"value": 7}'),
        [7],
        [{"entitySetName": 7}],
        [definition("bins", captions(en="Bins"), code=[{"languageCode": "x"}])],
    ],
)
def test_captions_in_another_form_lose_only_the_titles(rows: bytes | list[Any]) -> None:
    with running({STANDARD: BINS}, {PATH: rows}) as service:
        run = service.tap.run("--discover")
    assert run.status == 0, run.log
    (warning,) = run.logged("WARNING")
    assert "no titles" in warning
    assert titles(json.loads(run.output), "bins")[""] is None


def test_captions_that_do_not_come_end_the_discovery(central: CentralSandbox) -> None:
    """Otherwise titles would come and go from day to day."""
    central.fault(SET, status=503, count=None)
    run = Tap({**central.settings, "ws_retry_count": 0, "ws_retry_wait_limit": 0}).run("--discover")
    assert "503" in run.refusal()


def test_captions_are_kept_in_the_schema_map(central: CentralSandbox, tmp_path: Path) -> None:
    tap = Tap({**central.settings, "schema_map": str(tmp_path / "map.json")})
    first = tap.discover()
    central.clear_requests()
    assert tap.discover() == first == tap.but(schema_map=None).discover()
    assert titles(first, "customers")[""] == "Customers"
    assert len(central.requests()) == 4
