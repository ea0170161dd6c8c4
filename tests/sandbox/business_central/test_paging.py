"""Paging: next links with the key of the last row, `$top`, `$skip`, `$count`, page sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.business_central.companies import MAIN
from tests.sandbox.api import Api

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox

Row = dict[str, Any]


def pages(api: Api, path: str, **headers: str) -> list[Row]:
    """The responses of all pages."""
    found: list[Row] = []
    link: str | None = path
    while link:
        found.append(api.read(link, **headers))
        link = found[-1].get("@odata.nextLink")
        assert len(found) < 1_000
    return found


def rows(found: list[Row]) -> list[Row]:
    """The rows of pages."""
    return [row for page in found for row in page["value"]]


def options(link: str) -> dict[str, list[str]]:
    """The options of a link."""
    return parse_qs(urlsplit(link).query)


def test_next_link_repeats_the_options_and_has_the_key_of_the_last_row(api: Api) -> None:
    path = f"companies({MAIN.id})/customers?$select=id,number&$filter=number ne 'a%26b'"
    found = api.read(path, Prefer="odata.maxpagesize=5")
    link = found["@odata.nextLink"]
    assert link.startswith(f"{api.sandbox.service_url}companies({MAIN.id})/customers?")
    assert options(link) == {
        "$select": ["id,number"],
        "$filter": ["number ne 'a&b'"],
        "aid": ["FIN"],
        "$skiptoken": [found["value"][-1]["id"]],
    }


def test_links_can_name_a_gateway(api: Api) -> None:
    api.sandbox.configure(page_size_cap=1, link_origin="https://gateway.example")
    link = api.read("customers")["@odata.nextLink"]
    assert link.startswith("https://gateway.example/v2.0/")


@pytest.mark.parametrize(
    "order", ["", "&$orderby=number", "&$orderby=blocked desc,city", "&$orderby=id desc"]
)
def test_pages_have_every_row_once_in_order(api: Api, order: str) -> None:
    whole = api.read(f"customers?$select=id,number{order}")["value"]
    found = pages(api, f"customers?$select=id,number{order}", Prefer="odata.maxpagesize=7")
    assert rows(found) == whole
    assert [len(page["value"]) for page in found[:-1]] == [7] * (len(found) - 1)


def test_page_size_is_asked_for_on_every_page(api: Api) -> None:
    response = api.get("customers", Prefer="odata.maxpagesize=3")
    assert response.headers["Preference-Applied"] == "odata.maxpagesize=3"
    rest = api.get(response.json()["@odata.nextLink"])
    assert "Preference-Applied" not in rest.headers
    assert len(rest.json()["value"]) > 3


def test_page_has_twenty_thousand_rows_unless_another_number_is_set(api: Api) -> None:
    assert api.sandbox.switches()["page_size_cap"] == 20_000


def test_larger_page_than_the_largest_is_cut_or_refused(api: Api) -> None:
    api.sandbox.configure(page_size_cap=10)
    response = api.get("customers", Prefer="odata.maxpagesize=11")
    assert len(response.json()["value"]) == 10
    assert response.headers["Preference-Applied"] == "odata.maxpagesize=10"
    api.sandbox.configure(oversized_page="refused")
    assert api.get("customers", Prefer="odata.maxpagesize=11").status_code == 413
    assert api.get("customers", Prefer="odata.maxpagesize=10").status_code == 200


@pytest.mark.parametrize(
    ("top", "sizes"), [(5, [5]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5]), (0, [0])]
)
def test_top_is_the_whole_answer_and_is_lessened_in_links(
    api: Api, top: int, sizes: list[int]
) -> None:
    api.sandbox.configure(page_size_cap=10)
    found = pages(api, f"customers?$top={top}")
    assert [len(page["value"]) for page in found] == sizes
    left = [int(options(page["@odata.nextLink"])["$top"][0]) for page in found[:-1]]
    assert left == [top - sum(sizes[: place + 1]) for place in range(len(left))]


def test_skip_leaves_rows_out_once(api: Api) -> None:
    whole = api.read("customers")["value"]
    assert rows(pages(api, "customers?$skip=7", Prefer="odata.maxpagesize=9")) == whole[7:]


def test_count_is_of_all_rows_that_match(api: Api) -> None:
    number = len(api.read("customers?$filter=number gt '000010'")["value"])
    found = api.read("customers?$filter=number gt '000010'&$count=true&$top=2")
    assert (found["@odata.count"], len(found["value"])) == (number, 2)
    assert api.get("customers/$count?$filter=number gt '000010'").text == str(number)


def test_composite_key_pages_by_all_its_parts(api: Api) -> None:
    path = f"{api.sandbox.api_url('ODataV4')}Sales_Order"
    found = pages(api, path, Prefer="odata.maxpagesize=4")
    assert rows(found) == api.read(path)["value"]
    last = found[0]["value"][-1]
    token = options(found[0]["@odata.nextLink"])["$skiptoken"]
    assert token == [f"'{last['Document_Type']}','{last['No']}'"]


def test_invalid_skip_token_is_refused(api: Api) -> None:
    status, code, _ = api.refusal("customers?$skiptoken='a','b'")
    assert (status, code) == (400, "BadRequest_InvalidToken")


def test_empty_page_goes_on_where_it_was(api: Api) -> None:
    whole = api.read("customers")["value"]
    api.sandbox.fault("customers", empty_page=True, skip=1)
    found = pages(api, "customers", Prefer="odata.maxpagesize=10")
    assert len(found[1]["value"]) == 0
    assert rows(found) == whole


def test_unsorted_read_goes_on_behind_a_row_that_was_deleted(changing: CentralSandbox) -> None:
    api = Api(changing)
    before = api.read("customers")["value"]
    first = api.read("customers", Prefer="odata.maxpagesize=5")
    changing.delete("customers", [MAIN.id, first["value"][-1]["id"]])
    assert rows(pages(api, first["@odata.nextLink"])) == before[5:]


def test_sorted_read_loses_its_place_if_its_row_is_deleted_or_moved(
    changing: CentralSandbox,
) -> None:
    api = Api(changing)
    path = "vendors?$orderby=lastModifiedDateTime,id"
    before = api.read(path)["value"]
    first = api.read(path, Prefer="odata.maxpagesize=5")
    key = [MAIN.name, first["value"][-1]["id"]]
    changing.update("vendors", key, {"city": "Elsewhere"})
    assert rows(pages(api, first["@odata.nextLink"])) == []
    assert len(before) > 6
    changing.delete("vendors", key)
    status, code, _ = api.refusal(first["@odata.nextLink"])
    assert (status, code) == (400, "SkipTokenIsNoLongerValid")


@pytest.fixture(scope="module")
def odd(shared_central: CentralSandbox) -> CentralSandbox:
    """A sandbox whose rows can have any key."""
    return shared_central


@given(
    texts=st.sets(
        st.text(st.characters(exclude_categories=["C"]), max_size=6), min_size=1, max_size=5
    )
)
@settings(max_examples=10, suppress_health_check=[*HealthCheck])
def test_any_text_can_be_in_a_key(odd: CentralSandbox, texts: set[str]) -> None:
    api = Api(odd)
    root = odd.api_url("ODataV4")
    kind = {"Document_Type": "Odd"}
    odd.insert("Sales_Order", [{**kind, "No": text} for text in texts])
    try:
        path = f"{root}Sales_Order?$filter=Document_Type eq 'Odd'"
        found = rows(pages(api, path, Prefer="odata.maxpagesize=1"))
        assert {row["No"] for row in found} == texts
        for text in texts:
            key = quote("'Odd','" + text.replace("'", "''") + "'", safe="")
            assert api.read(f"{root}Sales_Order({key})")["No"] == text
    finally:
        for text in texts:
            odd.delete("Sales_Order", [MAIN.id, "Odd", text])
