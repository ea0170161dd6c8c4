"""Sets that are read through a parent, and `$expand`."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.business_central.companies import MAIN, OWN
from tests.sandbox.api import Api

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox

Row = dict[str, Any]
LINES = "You must specify an Id or a Document Id to get the lines."


def documents(api: Api) -> dict[str, list[Row]]:
    """The lines of the main company's invoices, by invoice in the order of their numbers."""
    numbers = {row["id"]: row["number"] for row in api.read("salesInvoices")["value"]}
    found: dict[str, list[Row]] = {key: [] for key in sorted(numbers, key=numbers.__getitem__)}
    for row in api.sandbox.rows("salesInvoiceLines"):
        if row.pop("$company") == MAIN.id:
            found[row["documentId"]].append(row)
    return found


def without_etag(rows: list[Row]) -> list[Row]:
    """Rows as the control API returns them."""
    return [{name: cell for name, cell in row.items() if name[0] != "@"} for row in rows]


def keyed(rows: list[Row], name: str = "id") -> list[str]:
    """The ids of rows, sorted."""
    return sorted(row[name] for row in rows)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("salesInvoiceLines", LINES),
        ("salesOrderLines", LINES),
        ("journalLines", "You must specify a journal batch ID or a journal ID"),
        ("dimensionSetLines", "You must get to the parent first"),
        ("defaultDimensions", "You must get to the parent first"),
        ("pictures", "You must get to the parent first"),
    ],
)
def test_sets_without_a_parent_are_refused(api: Api, name: str, message: str) -> None:
    for path in (name, f"companies({OWN.id})/{name}?$top=1"):
        status, code, text = api.refusal(path)
        assert (status, code) == (400, "Application_DialogException")
        assert message in text


def test_refusal_is_in_the_language_of_the_caller(api: Api) -> None:
    api.sandbox.configure(forbidden_tables=["vendors"])
    (row,) = api.read("customers?$top=1")["value"]
    api.sandbox.break_row("customers", [MAIN.id, row["id"]])
    for path, german, english in (
        ("salesInvoiceLines", "Beleg-ID", LINES),
        ("pictures", "zum Bild zu gelangen.", "to get to the picture."),
        ("defaultDimensions", "Standarddimensionen", "default dimensions"),
        ("customers", "Der Dimensionswert", "Dimension Value does not exist."),
        ("vendors", "(TableData vendors Lesen: Base", "(TableData vendors Read: Base"),
    ):
        _, _, text = api.refusal(path, Accept_Language="de-DE, en;q=0.5")
        assert german in text
        assert english not in text
        _, _, text = api.refusal(path, Accept_Language="en-US")
        assert english in text


def test_lines_are_read_by_filter_by_path_and_by_expand(api: Api) -> None:
    (document, lines) = next(item for item in documents(api).items() if len(item[1]) > 1)
    by_filter = api.read(f"salesInvoiceLines?$filter=documentId eq {document}")["value"]
    assert keyed(by_filter) == keyed(lines)
    by_path = api.read(f"salesInvoices({document})/salesInvoiceLines")
    assert by_path["value"] == by_filter
    context = f"$metadata#salesInvoices({document})/salesInvoiceLines"
    assert by_path["@odata.context"].endswith(context)
    header = api.read(f"salesInvoices({document})?$expand=salesInvoiceLines")
    assert keyed(header["salesInvoiceLines"]) == keyed(lines)
    (line,) = api.read(f"salesInvoiceLines?$filter=id eq {lines[0]['id']}")["value"]
    assert without_etag([line]) == [lines[0]]


def test_filter_with_two_documents_returns_the_lines_of_the_first_alone(api: Api) -> None:
    first, second = [key for key, lines in documents(api).items() if lines][:2]
    for text in (
        f"documentId eq {second} or documentId eq {first}",
        f"DOCUMENTID eq {second} or documentid eq {first}",
        f"documentId in ({second},{first})&$schemaversion=2.1",
    ):
        found = api.read(f"salesInvoiceLines?$filter={text}")["value"]
        assert {row["documentId"] for row in found} == {first}
        assert keyed(found) == keyed(documents(api)[first])


def test_filter_with_two_parents_of_dimensions_returns_both(api: Api) -> None:
    rows = [row for row in api.sandbox.rows("dimensionSetLines") if row["$company"] == MAIN.id]
    parents = sorted({row["parentId"] for row in rows})[:2]
    text = " or ".join(f"parentId eq {parent}" for parent in parents)
    found = api.read(f"dimensionSetLines?$filter={text}")["value"]
    assert {row["parentId"] for row in found} == set(parents)


def test_expand_has_lists_and_single_rows_at_several_levels(api: Api) -> None:
    path = "salesInvoices?$expand=customer,salesInvoiceLines($select=id;$expand=dimensionSetLines)"
    lines = documents(api)
    found = api.read(path)["value"]
    assert len(found) == len(lines)
    nested = []
    for row in found:
        assert row["customer"]["id"] == row["customerId"]
        assert row["customer"]["@odata.etag"]
        assert keyed(row["salesInvoiceLines"]) == keyed(lines[row["id"]])
        for line in row["salesInvoiceLines"]:
            assert [*line] == ["@odata.etag", "id", "dimensionSetLines"]
            nested += line["dimensionSetLines"]
            assert {each["parentId"] for each in line["dimensionSetLines"]} <= {line["id"]}
    assert nested


def test_expand_with_a_filter_and_unknown_parts(api: Api) -> None:
    path = "salesInvoices?$expand=salesInvoiceLines($filter=lineType eq 'Item')"
    kinds = {
        line["lineType"] for row in api.read(path)["value"] for line in row["salesInvoiceLines"]
    }
    assert kinds == {"Item"}
    assert api.refusal("salesInvoices?$expand=nothing")[0] == 400
    assert api.refusal("salesInvoices?$expand=customer($top=1)")[0] == 400


def test_row_that_no_navigation_leads_to_is_null(api: Api) -> None:
    found = api.read("items?$expand=picture")["value"]
    assert None in [row["picture"] for row in found]


def test_broken_row_fails_the_page_that_expands_to_it_and_no_other(api: Api) -> None:
    rows = [row for row in api.sandbox.rows("dimensionSetLines") if row["$company"] == MAIN.id]
    lines = {row["id"]: row for row in api.sandbox.rows("salesInvoiceLines")}
    bad = next(row for row in rows if row["parentId"] in lines)
    document = lines[bad["parentId"]]["documentId"]
    api.sandbox.break_row("dimensionSetLines", [MAIN.name, bad["id"]])
    nested = "$expand=salesInvoiceLines($expand=dimensionSetLines)"
    status, code, message = api.refusal(f"salesInvoices?{nested}")
    assert (status, code) == (400, "Application_DialogException")
    assert "Dimension Value does not exist" in message
    assert api.get("salesInvoices?$expand=salesInvoiceLines").status_code == 200
    for other in documents(api):
        expected = 400 if other == document else 200
        assert api.get(f"salesInvoices({other})?{nested}").status_code == expected
    api.sandbox.mend()
    assert api.get(f"salesInvoices?{nested}").status_code == 200


def test_broken_row_can_fail_once_with_another_error(api: Api) -> None:
    (row,) = api.read("vendors?$top=1")["value"]
    how = {"status": 404, "code": "BadRequest_NotFound", "message": "Parent with ID x.", "count": 1}
    api.sandbox.break_row("vendors", [MAIN.id, row["id"]], **how)
    assert api.refusal("vendors")[:2] == (404, "BadRequest_NotFound")
    assert api.get("vendors").status_code == 200


def test_expand_can_meet_a_change_unless_any_version_is_accepted(api: Api) -> None:
    path = "salesInvoices?$expand=salesInvoiceLines"
    api.sandbox.configure(expand_conflicts=1)
    assert api.get("salesInvoices").status_code == 200
    assert api.get(path, If_Match="*").status_code == 200
    assert api.refusal(path)[:2] == (409, "Request_EntityChanged")
    assert api.get(path).status_code == 200


def test_rows_that_name_no_parent_are_read_through_it(api: Api) -> None:
    root = api.sandbox.api_url("api/sandbox/loyalty/v1.0")
    document = api.get(f"{root}$metadata").text
    assert re.search('<NavigationProperty Name="loyaltyTransactions"[^>]*/>', document)
    cards = api.read(f"{root}loyaltyCards?$expand=loyaltyTransactions")["value"]
    expanded = [keyed(card["loyaltyTransactions"], "systemId") for card in cards]
    for card, keys in zip(cards, expanded, strict=True):
        below = f"{root}loyaltyCards({card['systemId']})/loyaltyTransactions"
        assert keyed(api.read(below)["value"], "systemId") == keys
    stored = [row for row in api.sandbox.rows("loyaltyTransactions") if row["$company"] == MAIN.id]
    assert sorted(chain.from_iterable(expanded)) == keyed(stored, "systemId")
    assert len([keys for keys in expanded if keys]) > 1
    names = {name for card in cards for row in card["loyaltyTransactions"] for name in row}
    assert names == {"@odata.etag", "systemId", "entryNumber", "points", "systemModifiedAt"}


def test_broken_line_fails_its_document_wherever_the_lines_are_read(api: Api) -> None:
    lines = documents(api)
    document = max(lines, key=lambda each: len(lines[each]))
    api.sandbox.break_row("salesInvoiceLines", [MAIN.id, lines[document][-1]["id"]])
    of_document = (
        f"salesInvoices({document})/salesInvoiceLines",
        f"salesInvoices({document})/salesInvoiceLines?$select=id",
        f"salesInvoices({document})?$expand=salesInvoiceLines",
        f"salesInvoices?$filter=id eq {document}&$expand=salesInvoiceLines($select=id)",
        f"salesInvoiceLines?$filter=documentId eq {document}",
    )
    for path in of_document:
        assert api.refusal(path)[:2] == (400, "Application_DialogException"), path
    for other in lines.keys() - {document}:
        assert api.get(f"salesInvoices({other})/salesInvoiceLines").status_code == 200
    assert api.get("salesInvoices").status_code == 200
    assert api.get(f"salesInvoices({document})").status_code == 200
    api.sandbox.mend()
    for path in of_document:
        assert api.get(path).status_code == 200, path


def test_inserted_row_goes_to_the_parent_that_it_names(changing: CentralSandbox) -> None:
    api = Api(changing)
    root = changing.api_url("api/sandbox/loyalty/v1.0")
    (card,) = api.read(f"{root}loyaltyCards?$top=1")["value"]
    (key,) = changing.insert("loyaltyTransactions", [{"$parent": card["systemId"], "points": 7}])
    below = api.read(f"{root}loyaltyCards({card['systemId']})/loyaltyTransactions")["value"]
    assert key["systemId"] in keyed(below, "systemId")
