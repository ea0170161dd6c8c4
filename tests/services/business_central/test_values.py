"""Every value of the local service arrives, converted as the settings say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from sandbox.business_central.companies import CLOSED, COPY, MAIN, OWN
from sandbox.central_client import CentralSandbox, running
from tap_dynamics365.library import Dynamics365
from tests.services.finance_operations.test_reads import told_apart
from tests.services.finance_operations.test_values import assert_fits, found
from tests.tap import WAYS, Message, Run, Tap, entry, select

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

#: More rows than this are compared of each API.
ROWS = {"api/v2.0": 300, "api/sandbox/loyalty/v1.0": 30, "ODataV4": 30}
#: Sets with rows that no parent leads to, because the sandbox chooses parents of other sets too.
UNREACHED = {
    "customerPayments",
    "defaultDimensions",
    "dimensionSetLines",
    "journalLines",
    "vendorPayments",
}
#: More sets than this are compared of each environment.
SETS = 60
NO_DATE, NO_MOMENT = "0001-01-01", "0001-01-01T00:00:00Z"
#: What is kept as the service sends it.
KEPT: list[dict[str, Any]] = [
    {},
    {"keep_blank_dates": True},
    {"keep_encoded_names": True},
    {"keep_blank_dates": True, "keep_encoded_names": True},
]


def converted(table: Message, row: Message, settings: dict[str, Any]) -> Message:
    """A row of the service as the tap sends it, without the columns of the company."""
    as_sent = {name: value for name, value in row.items() if name != "$company"}
    for name, kind in table["columns"].items():
        value = as_sent.get(name)
        if kind in {"Edm.Date", "Edm.DateTimeOffset"} and name not in table["key"]:
            if value in {NO_DATE, NO_MOMENT} and not settings.get("keep_blank_dates"):
                as_sent[name] = None
        elif kind.startswith("Microsoft.NAV.") and not settings.get("keep_encoded_names"):
            # All encoded characters of the documents are Latin-1.
            as_sent[name] = unquote(re.sub("_x00(..)_", r"%\1", value), encoding="latin-1")
            assert "_x" not in as_sent[name]
    return as_sent


@pytest.mark.parametrize(
    ("settings", "members"),
    [
        ({}, 'Inventory, Service, "Non-Inventory"'),
        ({"keep_blank_dates": True}, 'Inventory, Service, "Non-Inventory"'),
        ({"keep_encoded_names": True}, "Inventory, Service, Non_x002D_Inventory"),
    ],
)
def test_catalog_names_members_as_rows_have_them(
    central: CentralSandbox, tmp_path: Path, settings: dict[str, Any], members: str
) -> None:
    """Also if another run has kept the description."""
    tap = Tap({**central.settings, "schema_map": str(tmp_path / "map.json")})
    tap.discover()
    column = entry(tap.but(**settings).discover(), "items")["schema"]["properties"]["type"]
    assert column["description"].endswith(f".itemType: {members}.")


def test_every_value_of_a_set_beside_the_companies_arrives(way: dict[str, Any]) -> None:
    with running(rows=50) as central:
        first, second, *_ = [company["id"] for company in central.companies()]
        central.update("companies", ["", first], {"systemCreatedAt": NO_MOMENT})
        central.update("companies", ["", second], {"systemModifiedAt": NO_MOMENT})
        (table,) = [table for table in central.tables() if table["name"] == "companies"]
        sent = central.rows("companies")
        for settings in KEPT:
            tap = Tap({**central.settings, **way, **settings, "tables": ["companies"]})
            wanted = told_apart([converted(table, row, settings) for row in sent])
            run = tap.sync()
            assert told_apart(run.records("companies")) == wanted
            assert_fits(run, "companies")
            with Dynamics365({**central.settings, **settings}) as service:
                assert told_apart([*service.rows("companies")]) == wanted


def expected(
    central: CentralSandbox, settings: dict[str, Any], companies: Iterable[Message]
) -> dict[str, list[Message]]:
    """The rows of companies, and those beside the companies, by set, as the tap sends them."""
    # Sets beside the companies have rows without a company.
    own: dict[str, Message] = {"": {}}
    for company in companies:
        own[company["id"]] = {"company_id": company["id"], "company_name": company["name"]}
    return {
        table["name"]: [
            {**own[row["$company"]], **converted(table, row, settings)}
            for row in central.rows(table["name"])
            if row["$company"] in own
        ]
        for table in central.tables()
    }


def without_time_of_parent(rows: list[Message], settings: dict[str, Any]) -> list[str]:
    """Rows without the column of the tap that tells when their parent changed."""
    times = [row.pop("parentLastModifiedDateTime", None) for row in rows]
    assert settings.get("keep_blank_dates") or NO_MOMENT not in times
    return told_apart(rows)


def assert_every_value(
    central: CentralSandbox,
    route: str,
    settings: dict[str, Any],
    companies: Iterable[Message],
    unreached: Collection[str] = (),
) -> Run:
    """Compare all rows of companies in all sets of an API; in some, only rows that arrived."""
    given = {**central.settings, "service_url": central.api_url(route), **settings}
    tap = Tap(given)
    catalog = tap.discover()
    run = tap.sync(catalog=select(catalog, dict.fromkeys(names(catalog))))
    rows = expected(central, settings, companies)
    for name in run.schemas:
        assert_fits(run, name)
        sent = without_time_of_parent(run.records(name), settings)
        if name in unreached:
            arrived = {row["id"] for row in run.records(name)}
            rows[name] = [row for row in rows[name] if row["id"] in arrived]
        assert sent == told_apart(rows[name]), name
    assert {*run.schemas} == {*names(catalog)}
    return run


def names(catalog: Message) -> list[str]:
    """The streams of a catalog."""
    return [stream["tap_stream_id"] for stream in catalog["streams"]]


@pytest.mark.parametrize(
    ("settings", "name"),
    [*((each, "side-by-side") for each in KEPT), (KEPT[0], "as-values"), (KEPT[-1], "as-values")],
)
@pytest.mark.parametrize("route", ROWS)
def test_every_value_of_every_set_of_every_company_arrives(
    central: CentralSandbox, route: str, settings: dict[str, Any], name: str
) -> None:
    """The settings select no company, so that the closed one is the only one that is missing."""
    wanted = [company for company in central.companies() if company["id"] != CLOSED.id]
    run = assert_every_value(central, route, {**WAYS[name], **settings}, wanted)
    assert sum(run.counts.values()) > ROWS[route]
    found = {row.get("company_id") for table in run.counts for row in run.records(table)}
    assert found >= {MAIN.id, COPY.id, OWN.id}


@pytest.mark.parametrize("settings", KEPT)
@pytest.mark.parametrize("route", ROWS)
def test_every_value_of_every_set_of_a_company_comes_from_the_library(
    central: CentralSandbox, route: str, settings: dict[str, Any]
) -> None:
    company = central.companies()[0]
    given = {**central.settings, **settings, "companies": [company["id"]]}
    rows, compared = expected(central, settings, [company]), 0
    with Dynamics365({**given, "service_url": central.api_url(route)}) as service:
        for table, _ in service.tables():
            read = [*service.rows(table.name)]
            assert without_time_of_parent(read, settings) == told_apart(rows[table.name])
            compared += len(read)
    assert compared > ROWS[route]


@pytest.mark.parametrize("settings", [KEPT[0], KEPT[-1]])
@pytest.mark.parametrize(
    ("document", "route"),
    [("business-central-v2.xml.gz", "api/v2.0"), ("business-central-odatav4.xml.gz", "ODataV4")],
)
def test_every_value_of_every_set_of_an_environment_arrives(
    document: str, route: str, settings: dict[str, Any]
) -> None:
    """The documents are those of environments. Without them, the test is skipped."""
    with running(rows=2_000, csdl=found(document)) as central:
        company = central.companies()[0]
        given = {**settings, "companies": [company["name"]]}
        run = assert_every_value(central, route, given, [company], UNREACHED)
    assert len(run.schemas) > SETS
