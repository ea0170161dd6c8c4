"""Formats of responses, as recorded from real organisations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.api import TIMEOUT

if TYPE_CHECKING:
    from tests.sandbox.api import Api

ALL = 'odata.include-annotations="*"'


def digits(text: str, column: str) -> set[int]:
    """Return how many digits after the decimal point the numbers of a column have."""
    return {len(found) for found in re.findall(rf'"{column}":-?\d+\.(\d+)', text)}


def test_money_has_four_digits_if_entered_and_ten_if_computed(api: Api) -> None:
    columns = ("revenue", "revenue_base", "openrevenue", "openrevenue_base", "exchangerate")
    text = api.get(f"accounts?$select={','.join(columns)}").text
    assert [digits(text, column) for column in columns] == [{4}, {4}, {10}, {10}, {12}]
    described = api.read(
        "EntityDefinitions(LogicalName='account')/Attributes/"
        "Microsoft.Dynamics.CRM.MoneyAttributeMetadata?$select=LogicalName,Precision"
    )["value"]
    assert {column["Precision"] for column in described} == {4}
    assert digits(api.get("transactioncurrencies").text, "exchangerate") == {12}


def test_part_of_an_address_adds_the_composite_address(api: Api) -> None:
    rows = api.rows("accounts?$select=address1_city")
    assert all("address1_composite" in row for row in rows)
    assert any("\r\n" in (row["address1_composite"] or "") for row in rows)
    assert "address1_composite" not in api.rows("accounts?$select=name")[0]


def test_etag_of_alphabetical_rows_is_the_last_member(api: Api) -> None:
    (row, *_) = api.rows("bots")
    *names, last = row
    assert last == "@odata.etag"
    assert names == sorted(names)
    assert None in row.values()


def test_next_link_does_not_encode_the_marks_of_a_query(api: Api) -> None:
    query = "accounts?$select=name&$filter=not contains(name,'it''s')"
    link = api.read(query, Prefer="odata.maxpagesize=2")["@odata.nextLink"]
    assert "?$select=name&$filter=not%20contains(name,'it''s')&$skiptoken=%3Ccookie%20" in link
    assert len(api.read(link)["value"]) > 2


def annotations(api: Api, path: str, column: str) -> list[str]:
    """The annotations of a column in the first row that has them, in order."""
    for row in api.read(path, Prefer=ALL)["value"]:
        found = [name.rpartition(".")[2] for name in row if name.startswith(f"{column}@")]
        if found:
            return found
    return []


def test_navigation_property_is_annotated_if_it_is_not_the_column(api: Api) -> None:
    formatted, navigation, table = names = (
        "FormattedValue",
        "associatednavigationproperty",
        "lookuplogicalname",
    )
    assert annotations(api, "accounts", "_ownerid_value") == [*names]
    assert annotations(api, "accounts", "_createdby_value") == [formatted, table]
    assert annotations(api, "accounts", "_primarycontactid_value") == [formatted, table]
    assert annotations(api, "new_measurements", "_new_project_value") == [*names]
    assert annotations(api, "audits", "_userid_value") == [table, formatted]
    assert annotations(api, "audits", "_objectid_value") == [table]
    row = api.read("new_projects?$filter=_new_leader_value ne null", Prefer=ALL)["value"][0]
    term = f"Microsoft.Dynamics.CRM.{navigation}"
    assert row[f"_new_leader_value@{term}"] == "new_Leader"


def test_some_headers_are_sent_twice(api: Api) -> None:
    headers = api.get("WhoAmI").raw.headers
    for name in ("x-ms-service-request-id", "X-Source"):
        assert len(headers.getlist(name)) == 2
    assert headers.getlist("x-ms-service-request-id")[1] == headers["REQ_ID"]
    cookies = [cookie.partition("=")[0] for cookie in headers.getlist("Set-Cookie")]
    assert sorted(cookies) == ["ARRAffinity", "ARRAffinity", "ReqClientId", "orgId"]


def test_errors_have_todays_messages(api: Api) -> None:
    api.sandbox.configure(forbidden_tables=["lead"])
    status, code, message = api.refusal("leads")
    assert (status, code) == (403, "0x80040220")
    caller = re.search(r"\(Id=([0-9a-f-]{36}), .*accessMode=0\), is missing prvReadLead", message)
    assert caller
    assert message.endswith(f"(LocalizedName='Lead'). context.Caller={caller[1]}")
    before = api.sandbox.configure(disabled_user=True)
    assert api.refusal("leads")[1:] == ("0x80040225", "The specified user(Id = {0}) is disabled.")
    api.sandbox.configure(**before)
    before = api.sandbox.configure(not_a_member=True, user_language=1031)
    assert api.refusal("leads")[1:] == (
        "0x80072560",
        "Der Benutzer ist kein Mitglied der Organisation.",
    )
    api.sandbox.configure(**before)
    api.sandbox.fault("leads", status=500, code="0x8004418d", error_form="detailed")
    error = api.get("leads").json()["error"]
    assert "Please try again.\r\n" in error["message"]
    assert error["@Microsoft.PowerApps.CDS.InnerError.Message"] == error["message"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("$filter=startswith(LogicalName,'a')", 501, "0x8006088a"),
        ("$top=1", 400, "0x80060888"),
        ("$orderby=LogicalName", 400, "0x80060888"),
    ],
)
def test_query_of_metadata_refuses_options_of_rows(
    api: Api, query: str, status: int, code: str
) -> None:
    assert api.refusal(f"EntityDefinitions?{query}")[:2] == (status, code)


def test_expanded_columns_follow_their_context(api: Api) -> None:
    path = "EntityDefinitions(LogicalName='account')?$select=LogicalName"
    found = api.read(f"{path}&$expand=Attributes($select=LogicalName)")
    names = [
        "@odata.context",
        "LogicalName",
        "MetadataId",
        "Attributes@odata.context",
        "Attributes",
    ]
    assert [*found] == names
    assert found["Attributes@odata.context"].endswith(
        f"$metadata#EntityDefinitions({found['MetadataId']})/Attributes(LogicalName)"
    )


def test_key_among_changes_has_no_type(api: Api) -> None:
    told = api.read(
        "RetrieveMetadataChanges(Query=@q)?@q={"
        '"Properties":{"PropertyNames":["LogicalName","Attributes"]},'
        '"AttributeQuery":{"Properties":{"PropertyNames":["LogicalName"]}}}'
    )["EntityMetadata"]
    types = {
        column["LogicalName"]: column.get("@odata.type")
        for table in told
        if table["LogicalName"] == "account"
        for column in table["Attributes"]
    }
    assert types["accountid"] is None
    assert types["name"] == "#Microsoft.Dynamics.CRM.ComplexStringAttributeMetadata"


def test_failed_part_of_a_batch_starts_with_its_id(api: Api) -> None:
    part = (
        "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        "GET nothing HTTP/1.1\r\n\r\n\r\n--b--\r\n"
    )
    answer = api.session.post(
        f"{api.sandbox.service_url}$batch",
        part.encode(),
        headers={"Content-Type": "multipart/mixed; boundary=b"},
        timeout=TIMEOUT,
    ).text
    assert re.search(r"HTTP/1.1 404 \w+\r\nREQ_ID: [0-9a-f-]{36}\r\nContent-Type: ", answer)
