"""Calculated columns: the warning that incremental replication misses their new values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.tap import Message, Run, Tap, entry, own_metadata, select

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.central_client import CentralSandbox

KNOWN = {
    "accounts": ["netChange"],
    "customers": ["balanceDue"],
    "items": ["inventory"],
    "salesInvoices": ["status", "remainingAmount"],
    "vendors": ["balance"],
}


@pytest.fixture(scope="module")
def catalog(central_sandbox: CentralSandbox) -> Iterator[Message]:
    """The catalog of the session's sandbox."""
    with central_sandbox.unchanged():
        yield Tap(central_sandbox.settings).discover()


def warnings(run: Run) -> list[str]:
    """The warnings about calculated columns."""
    return [line for line in run.logged("WARNING") if "calculates" in line]


def sync(central: CentralSandbox, catalog: Message, **methods: str) -> Run:
    """Run with some streams of the catalog, and a replication method for each."""
    chosen = select(catalog, dict.fromkeys(methods))
    for name, method in methods.items():
        own_metadata(entry(chosen, name))["replication-method"] = method
    return Tap(central.settings).run(catalog=chosen)


def test_each_incremental_stream_with_calculated_columns_has_one_warning(
    central: CentralSandbox, catalog: Message
) -> None:
    others = ["salesOrders", "paymentTerms", "salesInvoiceLines"]
    run = sync(central, catalog, **dict.fromkeys([*KNOWN, *others], "INCREMENTAL"))
    found = {line.split("'")[1]: line for line in warnings(run)}
    assert len(found) == len(warnings(run))
    assert found.keys() == KNOWN.keys()
    for name, columns in KNOWN.items():
        assert f"calculates {' and '.join(columns)} when" in found[name]
        assert f"Choose FULL_TABLE for {name!r}" in found[name]


def test_full_table_has_no_warning(central: CentralSandbox, catalog: Message) -> None:
    run = sync(central, catalog, items="FULL_TABLE", vendors="INCREMENTAL")
    (warning,) = warnings(run)
    assert warning.startswith("'vendors'")


def test_calculated_column_that_is_not_selected_has_no_warning(
    central: CentralSandbox, catalog: Message
) -> None:
    chosen = select(catalog, {"items": ["id", "number"], "salesInvoices": ["id", "status"]})
    (warning,) = warnings(Tap(central.settings).run(catalog=chosen))
    assert "calculates status when" in warning


def test_connection_test_warns_and_discovery_does_not(central: CentralSandbox) -> None:
    tap = Tap({**central.settings, "tables": ["items", "paymentTerms"]})
    (warning,) = warnings(tap.run("--test"))
    assert warning.startswith("'items'")
    assert not warnings(tap.run("--discover"))


def test_set_of_the_same_name_of_a_custom_api_has_no_warning(
    central: CentralSandbox, catalog: Message
) -> None:
    chosen = select(catalog, {"items": None})
    entry(chosen, "items")["table_name"] = "contoso/one/v1.0/items"
    assert not warnings(Tap(central.settings).run(catalog=chosen))
