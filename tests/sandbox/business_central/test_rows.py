"""Rows: the forms of values, and what invented rows have."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from sandbox.business_central.companies import MAIN

if TYPE_CHECKING:
    from tests.sandbox.api import Api

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d\d?|\.\d\d[37])?Z")


def test_row_has_an_etag_first_and_every_column_of_the_document(api: Api) -> None:
    (row,) = api.read("customers?$top=1")["value"]
    (table,) = [each for each in api.sandbox.tables() if each["name"] == "customers"]
    assert [*row] == ["@odata.etag", *table["columns"]]
    assert re.fullmatch(r'W/"[A-Za-z0-9+/]+=*"', row["@odata.etag"])


def test_rows_have_blanks_and_no_nulls(api: Api) -> None:
    found = api.read("salesInvoices")["value"]
    assert not [row for row in found if None in row.values()]
    cells = {(name, str(cell)) for row in found for name, cell in row.items()}
    for name, cell in (
        ("lastModifiedDateTime", "0001-01-01T00:00:00Z"),
        ("dueDate", "0001-01-01"),
        ("externalDocumentNumber", ""),
        ("status", "_x0020_"),
        ("status", "In_x0020_Review"),
    ):
        assert (name, cell) in cells


def test_decimals_have_a_fraction_or_none(api: Api) -> None:
    body = api.get("salesInvoiceLines?$filter=documentId ne null").text
    assert ":1000," in body
    assert ":1000.00," in body


def test_milliseconds_end_in_0_3_or_7(api: Api) -> None:
    stamps = [row["lastModifiedDateTime"] for row in api.read("customers")["value"]]
    assert all(STAMP.fullmatch(stamp) for stamp in stamps)
    assert {stamp[-2] for stamp in stamps if len(stamp) == 24} == {"3", "7"}


def test_many_rows_have_the_same_stamp(api: Api) -> None:
    stamps = Counter(row["lastModifiedDateTime"] for row in api.read("items")["value"])
    assert stamps.most_common(1)[0][1] > sum(stamps.values()) // 5


def test_texts_have_quotes_newlines_and_letters_of_other_alphabets(api: Api) -> None:
    names = "".join(row["displayName"] for row in api.sandbox.rows("customers"))
    assert [mark for mark in "\"'\\\nß本🚀" if mark in names]


def test_streams_are_links_that_can_be_read(api: Api) -> None:
    (row,) = api.read(f"companies({MAIN.id})/companyInformation")["value"]
    link = row["picture@odata.mediaReadLink"]
    assert link.startswith(f"{api.sandbox.service_url}companies({MAIN.id})/companyInformation(")
    assert "picture" not in row
    response = api.get(link)
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.content.startswith(b"\xff\xd8")


def test_columns_of_web_services_have_escaped_names(api: Api) -> None:
    root = api.sandbox.api_url("ODataV4")
    (row,) = api.read(f"{root}Customer_Card?$top=1&$filter=_x003C_Phone_x003E_ ne 'x'")["value"]
    assert "_x003C_Phone_x003E_" in row
    assert "Date_Filter" not in row


def test_row_is_read_by_its_key(api: Api) -> None:
    (row,) = api.read("customers?$top=1")["value"]
    found = api.read(f"customers({row['id']})")
    assert found.pop("@odata.context").endswith("$metadata#customers/$entity")
    assert found == row
    status, code, _ = api.refusal("customers(11111111-2222-3333-4444-555555555555)")
    assert (status, code) == (404, "Internal_RecordNotFound")


def test_every_response_has_ids_by_which_it_is_found(api: Api) -> None:
    for path in ("customers", "nothing", "$metadata"):
        headers = api.get(path).headers
        assert headers["Request-Id"] == headers["ms-correlation-x"]
        assert headers["Server"] == "Microsoft-HTTPAPI/2.0"
    first, second = (api.refusal("nothing")[2] for _ in range(2))
    assert re.search(r"  CorrelationId:  [0-9a-f-]{36}\.$", first)
    assert first != second


def test_definitions_have_captions_of_columns_and_options_by_language(api: Api) -> None:
    found = {row["entitySetName"]: row for row in api.read("entityDefinitions")["value"]}
    item = found["items"]
    names = {each["name"]: each["captions"] for each in item["properties"]}
    assert names["unitPrice"] == [
        {"languageCode": 1033, "caption": "Unit price"},
        {"languageCode": 1031, "caption": "Unit price (DE)"},
    ]
    members = {each["name"]: each["captions"][0]["caption"] for each in item["enumMembers"]}
    assert members["Non_x002D_Inventory"] == "Non-inventory"
