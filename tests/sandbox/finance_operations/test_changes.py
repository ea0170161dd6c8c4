"""Changes of rows: insert, update and delete, dates of change, row versions, transactions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.client import SandboxError
from tests.sandbox.api import Api

if TYPE_CHECKING:
    from sandbox.finance_client import FinanceSandbox

Row = dict[str, Any]
EMPTY = "00000000-0000-0000-0000-000000000000"
CLOCK = "2026-03-01T10:20:30Z"


def stored(sandbox: FinanceSandbox, table: str, **key: object) -> Row:
    """The one stored row with these values."""
    (row,) = (row for row in sandbox.rows(table) if row.items() >= key.items())
    return row


def first(sandbox: FinanceSandbox, table: str) -> tuple[list[Any], Row]:
    """The key of the first row of the default company, and the row."""
    (told,) = (each for each in sandbox.tables() if each["name"] == table)
    row = next(row for row in sandbox.rows(table) if row.get("dataAreaId", "usmf") == "usmf")
    return [row[name] for name in told["key"]], row


def etag(api: Api, table: str, record: str) -> str:
    """The etag of the row that a filter finds."""
    (row,) = api.read(f"{table}?$filter={record}")["value"]
    found: str = row["@odata.etag"]
    return found


def test_inserted_row_has_empty_values_and_no_nulls(changing: FinanceSandbox) -> None:
    changing.configure(clock=CLOCK)
    assert changing.insert("VendorsV2", [{"VendorAccountNumber": "New 'one'"}]) == [
        {"dataAreaId": "usmf", "VendorAccountNumber": "New 'one'"}
    ]
    row = stored(changing, "VendorsV2", VendorAccountNumber="New 'one'")
    assert row["OnHoldStatus"] == "No"
    assert row["SysModifiedDateTime"] == CLOCK
    assert row["BirthDate"] == "1900-01-01T12:00:00Z"
    assert None not in row.values()
    changing.insert("UserDefaults", [{"UserID": "x", "IsDefault": True}])
    assert stored(changing, "UserDefaults", UserID="x")["SettingId"] == EMPTY


def test_rows_are_inserted_and_deleted_in_any_company(changing: FinanceSandbox) -> None:
    api = Api(changing)
    for company in ("usmf", "demf"):
        changing.insert("CustomersV3", [{"dataAreaId": company, "CustomerAccount": "New/1 "}])
    query = "CustomersV3?cross-company=true&$filter=CustomerAccount eq 'new/1'"
    assert {row["dataAreaId"] for row in api.read(query)["value"]} == {"usmf", "demf"}
    changing.delete("CustomersV3", ["demf", "New/1 "])
    assert {row["dataAreaId"] for row in api.read(query)["value"]} == {"usmf"}
    with pytest.raises(SandboxError):
        changing.delete("CustomersV3", ["demf", "New/1 "])


def test_key_that_is_equal_under_the_collation_is_refused(changing: FinanceSandbox) -> None:
    changing.insert("CustomersV3", [{"CustomerAccount": "New"}])
    with pytest.raises(SandboxError, match="UNIQUE"):
        changing.insert("CustomersV3", [{"CustomerAccount": "NEW "}])


def test_update_moves_date_version_and_etag(changing: FinanceSandbox) -> None:
    changing.configure(clock=CLOCK)
    api = Api(changing)
    changing.insert("VendorsV2", [{"VendorAccountNumber": "V"}])
    changing.insert("SalesOrderLines", [{"InventoryLotId": "L"}])
    place = ("VendorsV2", "VendorAccountNumber eq 'V'")
    before = etag(api, *place)
    version = stored(changing, "SalesOrderLines", InventoryLotId="L")["SysRowVersion"]
    changing.configure(clock="2026-03-01T10:20:31.9Z")
    changing.update("VendorsV2", ["usmf", "V"], {"AddressCity": "Ulm", "OnHoldStatus": "All"})
    row = stored(changing, "VendorsV2", VendorAccountNumber="V")
    assert (row["AddressCity"], row["OnHoldStatus"]) == ("Ulm", "All")
    assert row["SysModifiedDateTime"] == "2026-03-01T10:20:31Z"
    assert etag(api, *place) != before
    changing.update("SalesOrderLines", ["usmf", "L"], {"SalesPrice": 1.5})
    assert stored(changing, "SalesOrderLines", InventoryLotId="L")["SysRowVersion"] > version


def test_change_of_a_joined_table_moves_no_date(changing: FinanceSandbox) -> None:
    changing.configure(clock=CLOCK)
    api = Api(changing)
    changing.insert("VendorsV2", [{"VendorAccountNumber": "V"}])
    before = etag(api, "VendorsV2", "VendorAccountNumber eq 'V'")
    changing.configure(clock="2027-01-01T00:00:00Z")
    changing.update_joined("VendorsV2", ["usmf", "V"], {"AddressCity": "Ulm"})
    row = stored(changing, "VendorsV2", VendorAccountNumber="V")
    assert (row["AddressCity"], row["SysModifiedDateTime"]) == ("Ulm", CLOCK)
    assert etag(api, "VendorsV2", "VendorAccountNumber eq 'V'") != before
    changing.insert("SalesOrderLines", [{"InventoryLotId": "L"}])
    version = stored(changing, "SalesOrderLines", InventoryLotId="L")["SysRowVersion"]
    changing.update_joined("SalesOrderLines", ["usmf", "L"], {"ItemNumber": "I"})
    assert stored(changing, "SalesOrderLines", InventoryLotId="L")["SysRowVersion"] > version


def test_times_are_whole_seconds_and_row_versions_unique(changing: FinanceSandbox) -> None:
    api = Api(changing)
    now = datetime.now(UTC).replace(microsecond=0)
    changing.insert("VendorsV2", [{"VendorAccountNumber": "V"}])
    moment = stored(changing, "VendorsV2", VendorAccountNumber="V")["SysModifiedDateTime"]
    assert len(moment) == len(CLOCK)
    assert datetime.fromisoformat(moment) >= now
    text = f"VendorsV2?$filter=SysModifiedDateTime ge {moment}"
    assert [row["VendorAccountNumber"] for row in api.read(text)["value"]] == ["V"]
    versions = [row["SysRowVersion"] for row in changing.rows("SalesOrderLines")]
    assert len(versions) == len(set(versions))


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("PriceAgreements", "CurrencyCode"),
        ("ExchangeRates", "RateTypeDescription"),
        ("DualWriteProjects", "ProjectName"),
        ("UserDefaults", "Value"),
        ("FormulaParameters", "Description"),
        ("InventOnHandEntries", "ItemNumber"),
    ],
)
def test_rows_with_keys_of_each_type_are_changed(
    changing: FinanceSandbox, table: str, column: str
) -> None:
    key, _ = first(changing, table)
    changing.update(table, key, {column: "changed"})
    assert first(changing, table)[1][column] == "changed"
    number = len(changing.rows(table))
    changing.delete(table, key)
    assert len(changing.rows(table)) == number - 1


def test_enumeration_without_a_member_is_stored_as_null(changing: FinanceSandbox) -> None:
    changing.insert("PriceAgreements", [{"AccountType": None, "AccountCode": "new"}])
    assert stored(changing, "PriceAgreements", AccountCode="new")["AccountType"] is None
    changing.delete("PriceAgreements", ["usmf", None, "new", 0])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"PartyType": "Nobody"}, "no member 'Nobody'"),
        ({"NameAlias": None}, "never null"),
        ({"Nothing": 1}, "Nothing"),
    ],
)
def test_values_that_do_not_fit_are_refused(
    changing: FinanceSandbox, values: Row, words: str
) -> None:
    with pytest.raises(SandboxError, match=words):
        changing.insert("CustomersV3", [{"CustomerAccount": "new", **values}])


def test_transaction_is_committed_at_a_request(changing: FinanceSandbox) -> None:
    api = Api(changing)
    changing.configure(clock=CLOCK)
    change = changing.begin("VendorsV2", insert=[{"VendorAccountNumber": "Late"}])
    changing.configure(clock="2026-03-01T11:00:00Z")
    changing.fault("/VendorsV2", skip=1, commit=change.number)
    query = "VendorsV2?$filter=VendorAccountNumber eq 'Late'"
    found = [api.read(query)["value"] for _ in range(2)]
    assert [len(rows) for rows in found] == [0, 1]
    assert found[1][0]["SysModifiedDateTime"] == CLOCK


def test_transaction_changes_rows_of_any_company(changing: FinanceSandbox) -> None:
    rows = [{"dataAreaId": name, "CustomerAccount": "T"} for name in ("usmf", "demf")]
    changing.insert("CustomersV3", rows)
    change = changing.begin(
        "CustomersV3", update={("demf", "T"): {"NameAlias": "new"}}, delete=[("usmf", "T")]
    )
    assert stored(changing, "CustomersV3", **rows[1])["NameAlias"] == ""
    change.commit()
    assert stored(changing, "CustomersV3", CustomerAccount="T")["NameAlias"] == "new"


def test_asterisk_in_the_key_of_a_url_is_no_wildcard(changing: FinanceSandbox) -> None:
    api = Api(changing)
    codes = ("AA1", "A*1", "AB1")
    changing.insert("AutomaticCharges", [{"ChargeCode": code} for code in codes])
    for code in codes:
        key = f"AutomaticCharges(dataAreaId='usmf',ChargeCode='{code}')"
        assert api.read(key)["ChargeCode"] == code
    assert api.get("AutomaticCharges(dataAreaId='usmf',ChargeCode='AB*')").status_code == 404


def test_row_without_a_key_is_deleted_by_its_record(changing: FinanceSandbox) -> None:
    (record,) = changing.insert("Certifications", [{"Notes": "new"}])
    number = len(changing.rows("Certifications"))
    changing.delete("Certifications", [*record.values()])
    assert len(changing.rows("Certifications")) == number - 1
