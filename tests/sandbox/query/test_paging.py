"""Paging: no row is lost or repeated, unless the order is not unique."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.data import guids

if TYPE_CHECKING:
    from tests.sandbox.api import Api


def in_sql_server(guid: str) -> bytes:
    """A GUID's bytes in the order in which .NET's `SqlGuid` compares them."""
    stored = uuid.UUID(guid).bytes_le
    return bytes(stored[at] for at in (*range(10, 16), 8, 9, 6, 7, 4, 5, *range(4)))


@given(st.uuids(), st.uuids())
def test_guids_sort_as_in_sql_server(one: uuid.UUID, other: uuid.UUID) -> None:
    first, second = str(one), str(other)
    in_order = in_sql_server(first) < in_sql_server(second)
    assert (guids.sortable(first) < guids.sortable(second)) == in_order
    assert guids.restored(guids.sortable(first)) == first


def test_guids_sort_as_in_a_recorded_page() -> None:
    first, last = "dd37b14b-ee17-ed11-b83e-000d3a102bc2", "c42e05fb-4da9-e711-813f-e0071b6a4261"
    assert guids.sortable(first) < guids.sortable(last)


@pytest.mark.parametrize("query", ["", "&$orderby=contactid", "&$orderby=contactid desc"])
def test_rows_without_orderby_are_sorted_by_guid(api: Api, query: str) -> None:
    keys = [row["contactid"] for row in api.rows(f"contacts?$select=contactid{query}", 100)]
    assert keys == sorted(keys, key=in_sql_server, reverse="desc" in query)
    assert keys != sorted(keys, reverse="desc" in query)
    middle = sorted(keys, key=in_sql_server)[len(keys) // 2]
    for operator, count in (("gt", -1), ("ge", 0), ("lt", 0), ("le", 1)):
        # With and without a condition that the cache does not support.
        for more in ("", " and statecode ge 0"):
            condition = f"contactid {operator} {middle}{more}"
            found = api.read(f"contacts?$select=contactid&$count=true&$filter={condition}{query}")
            half = len(keys) // 2 if operator[0] == "l" else len(keys) - len(keys) // 2
            assert found["@odata.count"] == half + count, condition
            beyond = {row["contactid"] for row in found["value"]}
            assert (middle in beyond) == (operator[1] == "e")
    reference = f"contacts?$select=_ownerid_value&$filter=_ownerid_value gt {middle}"
    owners = {row["_ownerid_value"] for row in api.rows(reference)}
    assert all(in_sql_server(owner) > in_sql_server(middle) for owner in owners)


def test_pages_without_orderby_are_complete(api: Api) -> None:
    pages = api.pages("contacts?$select=contactid", 100)
    keys = [row["contactid"] for page in pages for row in page]
    assert {len(page) for page in pages[:-1]} == {100}
    assert keys == [row["contactid"] for row in api.sandbox.rows("contact")]


@pytest.mark.parametrize(
    "order",
    [
        "modifiedon asc,contactid asc",
        "modifiedon desc,contactid",
        "jobtitle,contactid desc",
        "gendercode desc,annualincome,contactid",
        "versionnumber",
    ],
)
def test_pages_with_a_tie_break_are_complete(api: Api, order: str) -> None:
    keys = [row["contactid"] for row in api.rows(f"contacts?$select=fullname&$orderby={order}", 37)]
    assert len(keys) == len(set(keys))
    assert set(keys) == {row["contactid"] for row in api.sandbox.rows("contact")}


def test_pages_with_orderby_are_sorted(api: Api) -> None:
    rows = api.rows("contacts?$select=modifiedon&$orderby=modifiedon asc,contactid asc", 50)
    pairs = [(row["modifiedon"], in_sql_server(row["contactid"])) for row in rows]
    assert pairs == sorted(pairs)
    incomes = [
        r["annualincome"] for r in api.rows("contacts?$orderby=annualincome desc,contactid", 50)
    ]
    numbers = [income for income in incomes if income is not None]
    assert numbers == sorted(numbers, reverse=True)
    assert incomes[len(numbers) :] == [None] * (len(incomes) - len(numbers))


def test_pages_with_ties_lose_or_repeat_rows(api: Api) -> None:
    keys = [
        row["contactid"] for row in api.rows("contacts?$select=gendercode&$orderby=gendercode", 20)
    ]
    stored = {row["contactid"] for row in api.sandbox.rows("contact")}
    assert len(keys) != len(set(keys)) or set(keys) != stored


def test_next_link_has_the_format_of_the_service(api: Api) -> None:
    answer = api.read("contacts?$select=fullname", Prefer="odata.maxpagesize=2")
    link = answer["@odata.nextLink"]
    first, last = (row["contactid"].upper() for row in answer["value"])
    assert link.startswith(
        f"{api.sandbox.service_url}contacts?$select=fullname&$skiptoken="
        "%3Ccookie%20pagenumber=%222%22%20pagingcookie=%22%253ccookie%2520page%253d%25221%2522"
        "%253e%253ccontactid%2520last%253d%2522%257b"
    )
    assert link.endswith("%22%20istracking=%22False%22%20/%3E")
    token = unquote(link.partition("$skiptoken=")[2])
    cookie = re.search(r'pagingcookie="([^"]*)"', token)
    assert cookie
    assert unquote(cookie[1]) == (
        f'<cookie page="1"><contactid last="{{{last}}}" first="{{{first}}}" /></cookie>'
    )


def test_next_link_has_the_sorted_column_before_the_key(api: Api) -> None:
    path = "contacts?$select=fullname&$orderby=modifiedon asc,contactid asc"
    answer = api.read(path, Prefer="odata.maxpagesize=2")
    link = unquote(unquote(answer["@odata.nextLink"]))
    assert "$orderby=modifiedon asc,contactid asc&$skiptoken=" in link
    assert re.search(r"<modifiedon last=\"[^\"]+\" first=\"[^\"]+\" /><contactid last=", link)


def test_page_size_is_applied(api: Api) -> None:
    response = api.get("contacts", Prefer="odata.maxpagesize=7")
    assert response.headers["Preference-Applied"] == "odata.maxpagesize=7"
    assert len(response.json()["value"]) == 7
    too_large = api.get("contacts", Prefer="odata.maxpagesize=5001")
    assert "Preference-Applied" not in too_large.headers
    assert len(too_large.json()["value"]) == len(api.sandbox.rows("contact"))


def test_page_size_applies_to_one_page(api: Api) -> None:
    link = api.read("contacts", Prefer="odata.maxpagesize=7")["@odata.nextLink"]
    assert "@odata.nextLink" not in api.read(link)


def test_top_limits_the_rows(api: Api) -> None:
    answer = api.read("contacts?$top=3")
    assert len(answer["value"]) == 3
    assert "@odata.nextLink" not in answer
    assert len(api.read("contacts?$top=3", Prefer="odata.maxpagesize=5")["value"]) == 5


def test_count_is_on_each_page(api: Api) -> None:
    stored = len(api.sandbox.rows("contact"))
    answer = api.read("contacts?$count=true", Prefer="odata.maxpagesize=9")
    assert answer["@odata.count"] == stored
    assert "$count=true" in answer["@odata.nextLink"]
    assert api.read(answer["@odata.nextLink"])["@odata.count"] == stored
    response = api.get("contacts/$count")
    assert response.headers["Content-Type"].startswith("text/plain")
    assert response.text == str(stored)
    half = api.get("contacts/$count?$filter=statecode eq 0").text
    assert int(half) == sum(row["statecode"] == 0 for row in api.sandbox.rows("contact"))


def test_count_is_at_most_5000(api: Api) -> None:
    sandbox = api.sandbox
    sandbox.insert("new_project_account", [{} for _ in range(5001)])
    assert api.get("new_project_accountset/$count").text == "5000"
    prefer = 'odata.maxpagesize=1,odata.include-annotations="Microsoft.Dynamics.CRM.*"'
    answer = api.read("new_project_accountset?$count=true", Prefer=prefer)
    assert answer["@odata.count"] == 5000
    assert answer["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] is True
    pages = api.pages("new_project_accountset", 5000)
    assert len(pages[0]) == 5000
    total = 'RetrieveTotalRecordCount(EntityNames=@p1)?@p1=["new_project_account"]'
    collection = api.read(total)["EntityRecordCountCollection"]
    assert collection["Values"] == [sum(map(len, pages))]


def test_row_inserted_while_paging_is_returned(api: Api) -> None:
    sandbox = api.sandbox
    key = "ffffffff-ffff-ffff-ffff-fffffffffff0"
    link = api.read("territories", Prefer="odata.maxpagesize=2")["@odata.nextLink"]
    sandbox.insert("territory", [{"territoryid": key, "name": "Late"}])
    assert api.rows(link)[-1]["territoryid"] == key
    sandbox.delete("territory", key)
    assert api.rows(link)[-1]["territoryid"] != key


def test_skip_token_that_is_forged_is_refused(api: Api) -> None:
    status, code, message = api.refusal("contacts?$skiptoken=nonsense")
    assert (status, code) == (400, "0x80041129")
    assert "Paging Cookie" in message


def test_links_can_name_another_origin(api: Api) -> None:
    inner = "http://inner.example:8080"
    api.sandbox.configure(link_origin=inner)
    answer = api.read("contacts?$select=fullname", Prefer="odata.maxpagesize=2")
    assert answer["@odata.nextLink"].startswith(f"{inner}/api/data/v9.2/contacts?$select=fullname&")
    prefer = "odata.track-changes,odata.maxpagesize=5000"
    delta = api.read("contacts?$select=fullname", Prefer=prefer)["@odata.deltaLink"]
    assert delta.startswith(f"{inner}/api/data/v9.2/contacts?")
    # The path and query of the link are valid at the address of the request.
    assert api.read(delta.replace(inner, api.sandbox.url))["value"] == []


def test_more_records_can_replace_the_next_link(api: Api) -> None:
    api.sandbox.configure(more_records_without_link=True)
    path, prefer = "contacts?$select=contactid&$orderby=contactid", "odata.maxpagesize=2"
    answer = api.read(path, Prefer=prefer)
    assert "@odata.nextLink" not in answer
    assert [*answer][-1] == "@Microsoft.Dynamics.CRM.morerecords"
    assert answer["@Microsoft.Dynamics.CRM.morerecords"] is True
    cookie = answer["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"]
    assert cookie.startswith('<cookie pagenumber="2" pagingcookie="')
    last = answer["value"][-1]["contactid"]
    following = api.read(f"{path}&$filter=contactid gt {last}", Prefer=prefer)
    assert [row["contactid"] for row in answer["value"] + following["value"]] == [
        row["contactid"] for row in api.sandbox.rows("contact")[:4]
    ]
    whole = api.read(path, Prefer="odata.maxpagesize=5000")
    assert "@Microsoft.Dynamics.CRM.morerecords" not in whole


def test_comparison_of_guids_can_be_refused(api: Api) -> None:
    key = api.sandbox.rows("contact")[0]["contactid"]
    assert len(api.read(f"contacts?$select=contactid&$filter=contactid eq {key}")["value"]) == 1
    api.sandbox.configure(guid_comparison="refused")
    assert len(api.read(f"contacts?$select=contactid&$filter=contactid eq {key}")["value"]) == 1
    for condition in (f"contactid gt {key}", f"not (fullname eq 'a' or {key} le contactid)"):
        status, code, message = api.refusal(f"contacts?$filter={condition}")
        assert (status, code) == (400, "0x80060888")
        assert "'Edm.Guid' and 'Edm.Guid' for operator kind '" in message
