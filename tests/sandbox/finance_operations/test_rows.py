"""Rows: the forms of values, the order of columns, etags, invented rows."""

from __future__ import annotations

import base64
import re
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.finance_client import running
from sandbox.finance_operations import collation, organisation
from sandbox.finance_operations.csdl import shown

if TYPE_CHECKING:
    from sandbox.data.model import Column, Table
    from tests.sandbox.api import Api

MODEL = organisation.model()
WITH_KEY = [table for table in MODEL.tables if table.key]


def rows(api: Api, table: str) -> list[dict[str, Any]]:
    """All rows of a set."""
    return api.rows(f"{table}?cross-company=true")


@pytest.mark.parametrize("table", MODEL.tables, ids=lambda table: table.name)
def test_row_has_every_column_in_the_order_of_the_document(api: Api, table: Table) -> None:
    names = ["@odata.etag", *(column.property_name for column in shown(table))]
    for row in rows(api, table.name):
        assert list(row) == names


def test_selected_columns_are_in_the_order_of_the_document(api: Api) -> None:
    found = api.read("CustomersV3?$select=CreditLimit,dataAreaId,PartyType&$top=1")
    assert list(found["value"][0]) == ["@odata.etag", "dataAreaId", "PartyType", "CreditLimit"]
    root = api.sandbox.service_url
    context = f"{root}$metadata#CustomersV3(dataAreaId,PartyType,CreditLimit)"
    assert found["@odata.context"] == context
    assert api.read("CustomersV3?$top=1")["@odata.context"] == f"{root}$metadata#CustomersV3"


def check(column: Column, value: object) -> None:
    """Assert that a value has the form of its type."""
    if column.options:
        names = {option.label.english for option in column.options.options}
        assert value is None or value in names
    elif column.edm_type in {"Edm.String", "Edm.Binary"}:
        assert isinstance(value, str)
    elif column.edm_type == "Edm.DateTimeOffset":
        form = r"\d{4}-\d\d-\d\dT12:00:00Z" if column.values == "date" else r"[\d-]{10}T[\d:]{8}Z"
        assert re.fullmatch(form, value) or value == "2154-12-31T23:59:59Z"
    elif column.edm_type == "Edm.Guid":
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value)
    elif column.edm_type == "Edm.Boolean":
        assert isinstance(value, bool)
    elif column.edm_type == "Edm.Decimal":
        assert isinstance(value, int | Decimal)
    else:
        assert isinstance(value, int)


@pytest.mark.parametrize("table", MODEL.tables, ids=lambda table: table.name)
def test_values_have_the_forms_of_their_types(api: Api, table: Table) -> None:
    for row in rows(api, table.name):
        for column in shown(table):
            check(column, row[column.property_name])


def values(api: Api, *places: str) -> list[Any]:
    """All values of columns, given as `Set/Column`."""
    found = []
    for place in places:
        table, _, column = place.partition("/")
        found += [row[column] for row in rows(api, table)]
    return found


def test_values_include_the_special_ones(api: Api) -> None:
    kinds = Counter(values(api, "CustomersV3/PartyType", "LedgerJournalLines/AccountType"))
    assert 0 < kinds[None] < 0.1 * kinds.total()
    assert "1900-01-01T12:00:00Z" in values(api, "CustomersV3/CredManCustomerSince")
    assert "1900-01-01T00:00:00Z" in values(api, "CustomersV3/AddressValidFrom")
    assert "2154-12-31T23:59:59Z" in values(api, "CustomersV3/AddressValidTo")
    assert max(values(api, "CustomersV3/PrimaryContactPhoneRecordId")) > 2**32
    assert 36_000 in values(api, "CustomersV3/OrderEntryDeadline")
    empty = "00000000-0000-0000-0000-000000000000"
    assert empty in values(api, "DualWriteProjects/ProjectId", "UserDefaults/SettingId")
    assert "" in values(api, "CustomersV3/OrganizationName", "SalesOrderLines/ItemNumber")
    containers = values(api, "ReleasedProductsV2/ImageContainer")
    assert all(base64.b64decode(each, validate=True) or not each for each in containers)
    amounts = values(api, "LedgerJournalLines/DebitAmount", "LedgerJournalLines/ExchRate")
    scales = {str(amount)[::-1].find(".") for amount in amounts}
    assert {-1, 2, 16} <= scales
    texts = " ".join(values(api, "SalesOrderHeadersV2/SalesOrderName", "LedgerJournalLines/Text"))
    assert {'"', "ß", "\\", "\t", "🚀"} <= set(texts)
    changed = values(api, "SalesOrderHeadersV2/SysModifiedDateTime")
    assert 0 < changed.count("1900-01-01T00:00:00Z") < 0.2 * len(changed)


def test_keys_hold_what_a_key_may_hold(api: Api) -> None:
    numbers = values(api, "LedgerJournalLines/JournalBatchNumber", "CustomersV3/CustomerAccount")
    numbers += values(api, "SalesOrderHeadersV2/SalesOrderNumber", "SalesOrderLines/InventoryLotId")
    assert "" in numbers
    assert any("*" in number for number in numbers)
    assert any(number.endswith(" ") for number in numbers)
    assert any(number.startswith(" ") for number in numbers)
    assert any(not number.isascii() for number in numbers)
    assert any("'" in number for number in numbers)
    assert len({number.casefold() for number in numbers}) < len(set(numbers))
    assert None in values(api, "PriceAgreements/AccountType")


@pytest.mark.parametrize("table", WITH_KEY, ids=lambda table: table.name)
def test_keys_are_unique_under_the_collation(api: Api, table: Table) -> None:
    found = api.sandbox.rows(table.name)
    keys = Counter(
        tuple(
            collation.sort_key(value) if isinstance(value, str) else value
            for value in (row[name] for name in table.key)
        )
        for row in found
    )
    # Enumerations may have one number without a member: two of them are told apart by nothing.
    assert [key for key, number in keys.items() if number > 1 and None not in key] == []


def test_etag_has_version_and_record_of_each_table(api: Api) -> None:
    records = []
    for row in rows(api, "CustomersV3"):
        match = re.fullmatch(r'W/"(.+)"', row["@odata.etag"])
        assert match
        text = base64.b64decode(match[1]).decode()
        assert re.fullmatch(r"'\d+,\d+(;\d+,\d+)*'", text)
        records.append(text.strip("'").partition(";")[0].partition(",")[2])
    assert len(set(records)) == len(records)
    assert all(int(record) > 2**32 for record in records)


def test_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    found = []
    for seed in (5, 5, 6):
        with running(rows=300, seed=seed) as sandbox:
            found.append([sandbox.rows(table["name"]) for table in sandbox.tables()])
    assert found[0] == found[1] != found[2]


def test_number_of_rows_can_be_given_for_one_set() -> None:
    with running(rows=100, sizes={"SalesOrderLines": 321}) as sandbox:
        assert len(sandbox.rows("SalesOrderLines")) == 321
    with running(rows=500, table="Currencies") as sandbox:
        assert len(sandbox.rows("Currencies")) == 500
