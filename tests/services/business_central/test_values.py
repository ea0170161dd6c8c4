"""Every value of the local service arrives, converted as the settings say."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.central_client import CentralSandbox, running
from tap_dynamics365.library import Dynamics365
from tests.services.finance_operations.test_reads import told_apart
from tests.services.finance_operations.test_values import assert_fits
from tests.tap import Message, Tap, entry

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
    found = {name: value for name, value in row.items() if name != "$company"}
    for name, kind in table["columns"].items():
        value = found.get(name)
        if kind in {"Edm.Date", "Edm.DateTimeOffset"} and name not in table["key"]:
            if value in {NO_DATE, NO_MOMENT} and not settings.get("keep_blank_dates"):
                found[name] = None
        elif kind.startswith("Microsoft.NAV.") and not settings.get("keep_encoded_names"):
            # No member has another character.
            found[name] = value.replace("_x0020_", " ").replace("_x002D_", "-")
            assert "_x" not in found[name]
    return found


@pytest.mark.parametrize(
    ("settings", "members"),
    [
        ({}, 'Inventory, Service, "Non-Inventory"'),
        ({"keep_blank_dates": True}, 'Inventory, Service, "Non-Inventory"'),
        ({"keep_encoded_names": True}, "Inventory, Service, Non_x002D_Inventory"),
    ],
)
def test_catalog_names_members_as_rows_have_them(
    central: CentralSandbox, settings: dict[str, Any], members: str
) -> None:
    catalog = Tap({**central.settings, **settings}).discover()
    column = entry(catalog, "items")["schema"]["properties"]["type"]
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
            expected = told_apart([converted(table, row, settings) for row in sent])
            run = tap.sync()
            assert told_apart(run.records("companies")) == expected
            assert_fits(run, "companies")
            with Dynamics365({**central.settings, **settings}) as service:
                assert told_apart([*service.rows("companies")]) == expected
