"""Paging: next links by position, `$top`, `$skip`, `$count`, and what a read by position loses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.sandbox.api import Api

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.finance_client import FinanceSandbox

Row = dict[str, Any]
ORDER = "$orderby=dataAreaId,CustomerAccount"
SELECT = "$select=dataAreaId,CustomerAccount"


def key(row: Row) -> tuple[str, str]:
    """The key of a customer."""
    return row["dataAreaId"], row["CustomerAccount"]


def pages(api: Api, path: str) -> list[dict[str, Any]]:
    """The responses of all pages."""
    found = []
    link: str | None = path
    while link:
        found.append(api.read(link))
        link = found[-1].get("@odata.nextLink")
    return found


def stored(api: Api) -> set[tuple[str, str]]:
    """The keys of all customers within reach."""
    return {key(row) for row in api.sandbox.rows("CustomersV3") if row["dataAreaId"] != "gbsi"}


def test_next_link_repeats_all_options_and_skips_the_page(api: Api) -> None:
    api.sandbox.configure(page_size_cap=10)
    path = f"CustomersV3?cross-company=true&{SELECT}&{ORDER}&$filter=CustomerAccount ne 'a+b%26'"
    link = api.read(path)["@odata.nextLink"]
    assert link.startswith(f"{api.sandbox.service_url}CustomersV3?cross-company=true&")
    assert parse_qs(urlsplit(link).query) == {
        "cross-company": ["true"],
        "$select": ["dataAreaId,CustomerAccount"],
        "$orderby": ["dataAreaId,CustomerAccount"],
        "$filter": ["CustomerAccount ne 'a b&'"],
        "$skip": ["10"],
    }


def test_links_can_name_a_gateway(api: Api) -> None:
    api.sandbox.configure(page_size_cap=1, link_origin="https://gateway.example")
    found = api.read("CustomersV3?$select=CustomerAccount")
    assert found["@odata.nextLink"].startswith("https://gateway.example/data/CustomersV3?")
    assert found["@odata.context"].startswith("https://gateway.example/data/$metadata#")


def test_pages_in_order_have_every_row_once(api: Api) -> None:
    api.sandbox.configure(page_size_cap=17)
    found = pages(api, f"CustomersV3?cross-company=true&{SELECT}&{ORDER}")
    assert [len(page["value"]) for page in found[:-1]] == [17] * (len(found) - 1)
    keys = [key(row) for page in found for row in page["value"]]
    assert len(keys) == len(set(keys))
    assert set(keys) == stored(api)


def test_full_last_page_has_no_link(api: Api) -> None:
    api.sandbox.configure(page_size_cap=len(stored(api)))
    assert len(pages(api, "CustomersV3?cross-company=true")) == 1


@pytest.mark.parametrize(
    ("top", "sizes"), [(5, [5]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5]), (0, [0])]
)
def test_top_is_the_whole_answer_and_is_lessened_in_links(
    api: Api, top: int, sizes: list[int]
) -> None:
    api.sandbox.configure(page_size_cap=10)
    found = pages(api, f"CustomersV3?{ORDER}&$top={top}")
    assert [len(page["value"]) for page in found] == sizes
    links = [page["@odata.nextLink"] for page in found[:-1]]
    left = [int(parse_qs(urlsplit(link).query)["$top"][0]) for link in links]
    assert left == [top - sum(sizes[: place + 1]) for place in range(len(links))]


def test_skip_leaves_rows_out(api: Api) -> None:
    every = api.read(f"CustomersV3?{ORDER}")["value"]
    assert api.read(f"CustomersV3?{ORDER}&$skip=7")["value"] == every[7:]
    assert api.read(f"CustomersV3?{ORDER}&$skip=7&$top=2")["value"] == every[7:9]
    assert api.read(f"CustomersV3?{ORDER}&$skip=10000")["value"] == []


def test_page_has_ten_thousand_rows_unless_another_number_is_set(finance: FinanceSandbox) -> None:
    assert finance.switches()["page_size_cap"] == 10_000


def test_preferred_page_size_is_ignored_unless_a_switch_is_set(api: Api) -> None:
    prefer = "odata.maxpagesize=3"
    response = api.get("CustomersV3", Prefer=prefer)
    assert len(response.json()["value"]) > 3
    assert "Preference-Applied" not in response.headers
    api.sandbox.configure(honours_page_size=True)
    response = api.get("CustomersV3", Prefer=prefer)
    assert len(response.json()["value"]) == 3
    assert response.headers["Preference-Applied"] == prefer
    assert "$skip=3" in response.json()["@odata.nextLink"]


def test_count_is_of_all_rows_that_match(api: Api) -> None:
    number = len(api.read("CustomersV3?$filter=CustomerAccount gt 'C'")["value"])
    found = api.read("CustomersV3?$filter=CustomerAccount gt 'C'&$count=true&$top=2")
    assert (found["@odata.count"], len(found["value"])) == (number, 2)
    assert "@odata.count" not in api.read("CustomersV3?$count=false")
    response = api.get("CustomersV3/$count?$filter=CustomerAccount gt 'C'")
    assert response.content == b"\xef\xbb\xbf" + str(number).encode()


def test_empty_page_goes_on_where_it_was(api: Api) -> None:
    api.sandbox.configure(page_size_cap=10)
    path = f"CustomersV3?{SELECT}&{ORDER}&$skip=10&$top=15"
    expected = [row for page in pages(api, path) for row in page["value"]]
    api.sandbox.fault("CustomersV3", empty_page=True, skip=1)
    found = pages(api, path)
    assert [len(page["value"]) for page in found] == [10, 0, 5]
    assert [row for page in found for row in page["value"]] == expected


def test_fault_over_rows_hits_requests_for_more_rows(api: Api) -> None:
    api.sandbox.fault("CustomersV3", over_rows=5, status=504, error_form="html", count=None)
    assert api.get("CustomersV3?$top=5").status_code == 200
    assert api.get("CustomersV3?$top=6").status_code == 504
    assert api.get("CustomersV3").status_code == 504


def test_order_without_orderby_differs_from_request_to_request(api: Api) -> None:
    orders = {tuple(map(key, api.read(f"CustomersV3?{SELECT}")["value"])) for _ in range(3)}
    assert len(orders) == 3
    assert len({frozenset(order) for order in orders}) == 1


def test_order_that_is_not_total_differs_between_equal_rows(api: Api) -> None:
    path = "CustomersV3?cross-company=true&$select=dataAreaId,CustomerAccount&$orderby=dataAreaId"
    orders = [[key(row) for row in api.read(path)["value"]] for _ in range(2)]
    assert orders[0] != orders[1]
    assert [company for company, _ in orders[0]] == [company for company, _ in orders[1]]


def by_position(api: Api, order: str) -> list[tuple[str, str]]:
    """Keys that a read by next links gets."""
    path = f"CustomersV3?cross-company=true&{SELECT}{order}"
    return [key(row) for page in pages(api, path) for row in page["value"]]


def literal(text: str) -> str:
    """A text in a filter of a URL."""
    for character, code in (("%", "%25"), ("&", "%26"), ("+", "%2B"), ("#", "%23")):
        text = text.replace(character, code)
    return "'" + text.replace("'", "''") + "'"


def by_key(api: Api, between: Callable[[int], object]) -> list[tuple[str, str]]:
    """Keys that a read gets which asks for the rows after the last one."""
    found: list[tuple[str, str]] = []
    condition = ""
    while True:
        path = f"CustomersV3?cross-company=true&{SELECT}&{ORDER}{condition}"
        rows = api.read(path)["value"]
        if not rows:
            return found
        found += map(key, rows)
        company, account = map(literal, found[-1])
        after = f"CustomerAccount gt {account}"
        equal = f"dataAreaId ge {company} and dataAreaId le {company}"
        condition = f"&$filter=dataAreaId gt {company} or ({equal} and {after})"
        between(len(found))


def test_read_by_position_without_an_order_loses_rows_and_a_read_by_key_does_not(api: Api) -> None:
    api.sandbox.configure(page_size_cap=20)
    assert set(by_position(api, "")) < stored(api)
    assert len(by_position(api, "")) == len(stored(api))
    assert set(by_position(api, f"&{ORDER}")) == stored(api)
    found = by_key(api, between=lambda _: None)
    assert len(found) == len(set(found))
    assert set(found) == stored(api)


def test_read_by_position_loses_rows_when_others_are_deleted(changing: FinanceSandbox) -> None:
    api = Api(changing)
    changing.configure(page_size_cap=10)
    before = sorted(row["CustomerAccount"] for row in changing.rows("CustomersV3"))
    first = api.read(f"CustomersV3?cross-company=true&{SELECT}&{ORDER}")
    gone = [key(row) for row in first["value"][:4]]
    for each in gone:
        changing.delete("CustomersV3", each)
    rest = [key(row) for page in pages(api, first["@odata.nextLink"]) for row in page["value"]]
    read = {key(row) for row in first["value"]} | set(rest)
    assert len(stored(api) - read) == 4
    assert len(before) == len(changing.rows("CustomersV3")) + 4


def test_read_by_key_loses_no_row_when_others_are_deleted(changing: FinanceSandbox) -> None:
    api = Api(changing)
    changing.configure(page_size_cap=10)
    before = stored(api)

    def delete(read: int) -> None:
        if read == 10:
            for each in gone:
                changing.delete("CustomersV3", each)

    gone = [key(row) for row in api.read(f"CustomersV3?cross-company=true&{ORDER}&$top=4")["value"]]
    assert set(by_key(api, delete)) == before
