"""Queries: `$select`, `$filter`, `$orderby`, and what the service refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.business_central.queries import split

if TYPE_CHECKING:
    from tests.sandbox.api import Api

DISTINCT = "The 'OR' operator is not supported on distinct fields on an OData filter."
NEVER = "0001-01-01T00:00:00Z"


def rows(api: Api, path: str) -> list[dict[str, Any]]:
    """The rows of a page."""
    found: list[dict[str, Any]] = api.read(path)["value"]
    return found


def test_select_returns_the_columns_in_the_order_of_the_document(api: Api) -> None:
    answer = api.read("customers?$select=displayname,ID&$top=1")
    assert answer["@odata.context"].endswith("$metadata#customers(id,displayName)")
    assert [*answer["value"][0]] == ["@odata.etag", "id", "displayName"]


def test_navigation_property_in_select_drops_the_columns_after_it(api: Api) -> None:
    (row,) = rows(api, "customers?$select=id,picture,displayName&$top=1")
    assert [*row] == ["@odata.etag", "id"]


def test_unknown_columns_are_refused(api: Api) -> None:
    for option in ("$select=nope", "$filter=nope eq 1", "$orderby=nope"):
        status, code, message = api.refusal(f"customers?{option}")
        assert (status, code) == (400, "BadRequest")
        assert "property named 'nope' on type 'Microsoft.NAV.customer'" in message


@pytest.mark.parametrize(
    "text",
    [
        "number eq '000001' or displayName eq 'x'",
        f"lastModifiedDateTime gt {NEVER} or (lastModifiedDateTime eq {NEVER} and number gt '1')",
    ],
)
def test_or_over_two_columns_is_not_implemented(api: Api, text: str) -> None:
    status, code, message = api.refusal(f"customers?$filter={text}")
    assert (status, code) == (501, "BadRequest_MethodNotImplemented")
    assert DISTINCT in message


def test_or_over_one_column_is_understood(api: Api) -> None:
    text = "(number eq '000001' or Number eq '000003') and number gt '000002'"
    assert [row["number"] for row in rows(api, f"customers?$filter={text}")] == ["000003"]


def test_in_needs_a_later_schema_version(api: Api) -> None:
    path = "customers?$filter=number in ('000001', '000004')"
    status, code, _ = api.refusal(path)
    assert (status, code) == (501, "BadRequest_MethodNotImplemented")
    found = rows(api, f"{path}&$schemaversion=2.1")
    assert {row["number"] for row in found} == {"000001", "000004"}
    assert rows(api, "customers?$filter=displayName eq 'a in (b)'") == []


def test_nested_functions_are_not_implemented(api: Api) -> None:
    status, _, _ = api.refusal("customers?$filter=startswith(tolower(displayName),'a')")
    assert status == 501


def test_filter_with_a_lambda_is_ignored_as_a_whole(api: Api) -> None:
    text = "number eq '000001' and salesInvoiceLines/any(l: l/quantity gt 1)"
    assert len(rows(api, f"salesInvoices?$filter={text}")) > 1


def test_text_functions_match(api: Api) -> None:
    every = rows(api, "customers")
    for function, part, test in (
        ("startswith", "00001", str.startswith),
        ("endswith", "2", str.endswith),
        ("contains", "01", str.__contains__),
    ):
        found = rows(api, f"customers?$filter={function}(number,'{part}')")
        assert found == [row for row in every if test(row["number"], part)]
        assert 0 < len(found) < len(every)
    assert rows(api, "customers?$filter=contains(displayName,'*')") == []


def test_null_finds_blanks(api: Api) -> None:
    every = rows(api, "salesInvoices")
    found = rows(api, "salesInvoices?$filter=dueDate eq null")
    assert found == [row for row in every if row["dueDate"] == "0001-01-01"]
    assert found
    texts = rows(api, "salesInvoices?$filter=currencyCode eq null")
    assert texts == [row for row in every if not row["currencyCode"]]


def test_options_are_compared_with_their_names(api: Api) -> None:
    every = rows(api, "items")
    for text in ("'Non-Inventory'", "'Non_x002D_Inventory'", "Microsoft.NAV.itemType'Service'"):
        name = "Service" if "Service" in text else "Non_x002D_Inventory"
        found = rows(api, f"items?$filter=type eq {text}")
        assert found == [row for row in every if row["type"] == name]
        assert found
    status, _, _ = api.refusal("items?$filter=type eq 'Nonsense'")
    assert status == 400


def test_comparisons_of_every_type_agree_with_the_rows(api: Api) -> None:
    every = rows(api, "salesInvoices")
    row = every[len(every) // 2]
    for name, text in (
        ("totalAmountExcludingTax", str(row["totalAmountExcludingTax"])),
        ("invoiceDate", row["invoiceDate"]),
        ("number", f"'{row['number']}'"),
        ("id", row["id"]),
        ("pricesIncludeTax", str(row["pricesIncludeTax"]).lower()),
    ):
        found = rows(api, f"salesInvoices?$filter={name} eq {text}")
        assert found == [each for each in every if each[name] == row[name]]
    cut = row["invoiceDate"]
    later = rows(api, f"salesInvoices?$filter=invoiceDate gt {cut}")
    assert later == [each for each in every if each["invoiceDate"] > cut]


def test_order_of_guids_is_that_of_unsorted_pages_unless_it_is_refused(api: Api) -> None:
    every = rows(api, "customers")
    middle = every[10]["id"]
    assert rows(api, f"customers?$filter=id gt {middle}") == every[11:]
    api.sandbox.configure(guid_comparison="refused")
    status, _, message = api.refusal(f"customers?$filter=id gt {middle}")
    assert status == 400
    assert "incompatible types" in message


def test_orderby_sorts_by_several_columns(api: Api) -> None:
    found = rows(api, "customers?$orderby=blocked desc,number")
    keys = [(row["blocked"], row["number"]) for row in found]
    assert keys == sorted(sorted(keys, key=lambda key: key[1]), key=lambda k: k[0], reverse=True)


@pytest.mark.parametrize("name", ["customerSales", "apicategoryroutes", "subscriptions"])
def test_sets_that_are_not_sortable_refuse_orderby(api: Api, name: str) -> None:
    column = {"customerSales": "totalSalesAmount", "apicategoryroutes": "version"}.get(
        name, "userId"
    )
    status, code, _ = api.refusal(f"{name}?$orderby={column}")
    assert (status, code) == (501, "BadRequest_MethodNotImplemented")
    assert api.get(name).status_code == 200


def test_api_queries_refuse_orderby(api: Api) -> None:
    root = api.sandbox.api_url("api/sandbox/loyalty/v1.0")
    assert api.get(f"{root}loyaltyTotals?$orderby=cardCode").status_code == 501
    assert api.get(f"{root}loyaltyTotals?$orderby=auxiliaryIndex1").status_code == 200


def test_unknown_and_empty_options_are_refused(api: Api) -> None:
    for option in ("$nope=1", "$filter=", "$top=x", "$top=-1", "$orderby=number up"):
        status, code, _ = api.refusal(f"customers?{option}")
        assert (status, code) == (400, "BadRequest")


def test_parameters_of_calculated_columns_are_no_data(api: Api) -> None:
    found = rows(api, "customerSales")
    assert "dateFilter_FilterOnly" not in found[0]
    assert rows(api, "customerSales?$filter=dateFilter_FilterOnly gt 2024-01-01") == found


@given(st.lists(st.text(alphabet="ab',()", max_size=8), max_size=5))
def test_split_leaves_quoted_texts_whole(texts: list[str]) -> None:
    quoted = ["'" + text.replace("'", "''") + "'" for text in texts]
    assert split(",".join(quoted), ",") == quoted
