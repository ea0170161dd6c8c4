"""Query options and filters: what is understood, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from tests.sandbox.api import Api

ENUMS = "Microsoft.Dynamics.DataEntities."


def refusal(api: Api, table: str, query: str) -> str:
    """The reason why a query is refused; both of its places are compared."""
    response = api.get(f"{table}?{query}")
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    inner = error["innererror"]
    assert error["code"] == ""
    assert error["message"] == f"The query specified in the URI is not valid. {inner['message']}"
    assert inner["type"] == "Microsoft.OData.ODataException"
    assert inner["stacktrace"].startswith("   at ")
    reason: str = inner["message"]
    return reason


@pytest.mark.parametrize("query", ["$select=X,dataAreaId", "$orderby=X desc", "$filter=X eq 1"])
def test_unknown_column_is_refused(api: Api, query: str) -> None:
    words = f"Could not find a property named 'X' on type '{ENUMS}CustomerV3'."
    assert refusal(api, "CustomersV3", query) == words
    assert "'X'" in refusal(api, "CustomersV3", query)


@pytest.mark.parametrize("query", ["$select=customeraccount", "$orderby=DataAreaId"])
def test_names_of_columns_are_case_sensitive(api: Api, query: str) -> None:
    assert "Could not find a property named" in refusal(api, "CustomersV3", query)


@pytest.mark.parametrize("query", ["$select=$recid", "$orderby=$joined", "$filter=$recid eq 1"])
def test_stored_columns_that_no_row_shows_are_unknown(api: Api, query: str) -> None:
    refusal(api, "CustomersV3", query)


@pytest.mark.parametrize(
    "option", ["$search=x", "$apply=x", "$deltatoken=x", "$skiptoken=x", "$expand=x", "$foo=1"]
)
def test_unknown_options_of_odata_are_refused(api: Api, option: str) -> None:
    name = option.partition("=")[0]
    expected = f"The query parameter '{name}' is not supported."
    assert refusal(api, "CustomersV3", option) == expected


def test_other_options_are_ignored(api: Api) -> None:
    assert api.read("CustomersV3?foo=bar&$format=json&$top=1")["value"]


@pytest.mark.parametrize("option", ["$top=x", "$top=-1", "$skip=1.5", "$top=", "$skip=x"])
def test_number_that_is_none_is_refused(api: Api, option: str) -> None:
    assert "requires a non-negative integer" in refusal(api, "CustomersV3", option)


@pytest.mark.parametrize("option", ["$count=yes", "$filter=", "$select=", "$orderby=a b"])
def test_malformed_option_is_refused(api: Api, option: str) -> None:
    refusal(api, "CustomersV3", option)


@pytest.mark.parametrize(
    "text",
    [
        "contains(CustomerAccount,'C')",
        "startswith(CustomerAccount,'C')",
        "endswith(CustomerAccount,'C')",
        "not contains(CustomerAccount,'C')",
        "CustomerAccount in ('C','D')",
        f"OnHoldStatus has {ENUMS}CustVendorBlocked'All'",
        "tolower(CustomerAccount) eq 'c'",
        "CustomerAccount eq 'C",
        "(CustomerAccount eq 'C'",
        "CustomerAccount eq C",
        "CustomerAccount",
        "eq 'C'",
    ],
)
def test_filter_that_is_not_understood_is_refused(api: Api, text: str) -> None:
    refusal(api, "CustomersV3", f"$filter={quote(text)}")


@pytest.mark.parametrize(
    "text",
    [
        "PartyType eq 1",
        "PartyType eq 'Person'",
        f"PartyType eq {ENUMS}NoYes'Yes'",
        f"PartyType gt {ENUMS}DirPartyBaseType'Person'",
        "CustomerAccount eq 1",
        "CreditLimit eq 'x'",
        "CreditLimit eq true",
        "CredManCustomerSince gt '2020-01-01T00:00:00Z'",
        "CredManCustomerSince gt 2020-01-01",
        "PrimaryContactPhoneRecordId eq '5637144576'",
    ],
)
def test_literal_of_another_type_is_refused(api: Api, text: str) -> None:
    reason = refusal(api, "CustomersV3", f"$filter={quote(text)}")
    assert reason.startswith(
        "A binary operator with incompatible types was detected. Found operand"
    )


def test_unknown_member_of_an_enumeration_is_refused(api: Api) -> None:
    text = f"PartyType eq {ENUMS}DirPartyBaseType'Nobody'"
    assert "'Nobody'" in refusal(api, "CustomersV3", f"$filter={text}")


def test_number_with_two_names_is_found_by_each_and_shown_by_the_first(api: Api) -> None:
    text = f"CustomersV3?$select=AddressTimeZone&$filter=AddressTimeZone eq {ENUMS}Timezone"
    found = [api.read(f"{text}'{name}'")["value"] for name in ("GMT_LONDON", "GMT_DUBLIN")]
    assert len(found[0]) == len(found[1])
    assert {row["AddressTimeZone"] for rows in found for row in rows} == {"GMT_LONDON"}


@pytest.mark.parametrize("column", ["PartyType", "CustomerAccount", "CreditLimit"])
def test_column_that_is_not_null_is_refused(api: Api, column: str) -> None:
    refusal(api, "CustomersV3", f"$filter={column} ne null")


def test_null_is_found_in_enumerations_only(api: Api) -> None:
    rows = api.read("LedgerJournalLines")["value"]
    nulls = [row for row in rows if row["AccountType"] is None]
    found = api.read("LedgerJournalLines?$filter=AccountType eq null")["value"]
    assert len(found) == len(nulls) > 0
    found = api.read("LedgerJournalLines?$filter=not (AccountType eq null)")["value"]
    assert len(found) == len(rows) - len(nulls)
    assert api.read("LedgerJournalLines?$filter=Text eq null")["value"] == []


def accounts(api: Api, text: str) -> set[str]:
    """The accounts of the customers that a filter finds."""
    path = f"CustomersV3?$select=CustomerAccount&$filter={quote(text)}"
    return {row["CustomerAccount"] for row in api.read(path)["value"]}


def test_asterisk_is_a_wildcard_with_eq_and_ne_and_a_character_elsewhere(api: Api) -> None:
    every = {row["CustomerAccount"] for row in api.read("CustomersV3")["value"]}
    odd = {account for account in every if account.lower().startswith("c")}
    assert odd < every
    assert accounts(api, "CustomerAccount eq 'C*'") == odd
    assert accounts(api, "CustomerAccount ne 'c*'") == every - odd
    assert accounts(api, "CustomerAccount eq '*'") == every
    stars = {account for account in odd if account.startswith("C*")}
    assert stars
    assert accounts(api, "CustomerAccount ge 'C*' and CustomerAccount lt 'C+'") == stars


@pytest.mark.parametrize("end", ["", " ", "   "])
def test_trailing_blanks_make_no_difference(api: Api, end: str) -> None:
    every = {row["CustomerAccount"] for row in api.read("CustomersV3")["value"]}
    account = next(account for account in every if account.endswith(" "))
    for operator in ("eq", "ge", "le"):
        assert account in accounts(api, f"CustomerAccount {operator} '{account.strip()}{end}'")
    assert account not in accounts(api, f"CustomerAccount gt '{account.strip()}{end}'")


@pytest.mark.parametrize("operator", ["gt", "ge", "lt", "le"])
def test_order_of_booleans_is_refused(api: Api, operator: str) -> None:
    refusal(api, "UserDefaults", f"$filter=IsDefault {operator} false")
    assert api.read("UserDefaults?$filter=IsDefault eq true")["value"]


def test_order_of_guids_can_be_refused(api: Api) -> None:
    query = "$filter=ProjectId gt 3c6ef372-fe94-f82b-e739-80c0b9db906a"
    assert api.read(f"DualWriteProjects?{query}")["value"]
    api.sandbox.configure(guid_comparison="refused")
    assert "'Edm.Guid' and 'Edm.Guid'" in refusal(api, "DualWriteProjects", query)


@pytest.mark.parametrize(("number", "status"), [(400, 200), (3_000, 400)])
def test_filter_has_a_limited_number_of_nodes(api: Api, number: int, status: int) -> None:
    text = quote(" or ".join(["LineNumber eq 1"] * number))
    assert api.get(f"LedgerJournalLines?$filter={text}").status_code == status
    if status == 400:
        assert "node count" in refusal(api, "LedgerJournalLines", f"$filter={text}")


def test_key_of_twenty_columns_can_be_compared(api: Api) -> None:
    names = next(t for t in api.sandbox.tables() if t["name"] == "DimensionCombinations")["key"]
    assert len(names) == 20
    order = f"$orderby={','.join(names)}"
    rows = api.read(f"DimensionCombinations?{order}")["value"]
    half = rows[len(rows) // 2]
    condition = ""
    for name in reversed(names):
        value = "'" + half[name].replace("'", "''") + "'"
        equal = f" or ({name} eq {value} and {condition})" if condition else ""
        condition = f"({name} gt {value}{equal})"
    found = api.read(f"DimensionCombinations?{order}&$filter={quote(condition)}")["value"]
    assert found == rows[len(rows) // 2 + 1 :]


def test_key_in_a_url_finds_its_row_whatever_it_holds(api: Api) -> None:
    for row in api.sandbox.rows("AutomaticCharges"):
        if row["dataAreaId"] == "usmf":
            code = quote(row["ChargeCode"].replace("'", "''"), safe="")
            found = api.read(f"AutomaticCharges(dataAreaId='USMF',ChargeCode='{code}')")
            assert found["ChargeCode"] == row["ChargeCode"]


def text_of(value: object) -> str:
    """A text in a key or a filter."""
    return "'" + str(value).replace("'", "''") + "'"


def test_key_in_a_url_has_each_type(api: Api) -> None:
    for row in api.read("PriceAgreements?$filter=not (AccountType eq null)")["value"]:
        key = (
            f"dataAreaId='usmf',AccountType={ENUMS}LedgerJournalACType'{row['AccountType']}',"
            f"AccountCode={text_of(row['AccountCode'])},FromQuantity={row['FromQuantity']}"
        )
        assert api.read(f"PriceAgreements({quote(key, safe='')})")["Price"] == row["Price"]
    for rate in api.read("ExchangeRates?$top=9")["value"]:
        names = ("RateTypeName", "FromCurrency", "ToCurrency")
        texts = ",".join(f"{name}={text_of(rate[name])}" for name in names)
        key = quote(f"{texts},StartDate={rate['StartDate']}", safe="")
        assert api.read(f"ExchangeRates({key})")["Rate"] == rate["Rate"]
    assert api.get("CustomersV3('C-000001')").status_code == 400
