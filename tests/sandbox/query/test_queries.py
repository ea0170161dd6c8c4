"""Queries: filters, options, and the errors of invalid queries."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.sandbox.api import Api

QUERY_ERROR = "0x80060888"


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("statecode eq 0", lambda r: r["statecode"] == 0),
        ("statecode ne 0", lambda r: r["statecode"] != 0),
        ("gendercode ne 1", lambda r: r["gendercode"] != 1),
        ("gendercode eq null", lambda r: r["gendercode"] is None),
        ("not (gendercode ne null)", lambda r: r["gendercode"] is None),
        (
            "annualincome gt 500000.5",
            lambda r: r["annualincome"] is not None and r["annualincome"] > Decimal("500000.5"),
        ),
        (
            "not (annualincome gt 500000)",
            lambda r: r["annualincome"] is None or r["annualincome"] <= 500000,
        ),
        ("creditonhold eq true", lambda r: r["creditonhold"] is True),
        ("creditonhold", lambda r: r["creditonhold"] is True),
        ("birthdate lt 1970-01-01", lambda r: (r["birthdate"] or "9") < "1970-01-01"),
        ("modifiedon ge 2022-01-01T00:00:00Z", lambda r: r["modifiedon"] >= "2022"),
        (
            "modifiedon lt 2022-01-01T01:00:00.500+01:00",
            lambda r: r["modifiedon"] <= "2022-01-01T00:00:00Z",
        ),
        ("address1_country eq 'deutschland'", lambda r: r["address1_country"] == "Deutschland"),
        ("contains(fullname,'ANN')", lambda r: "ann" in r["fullname"].lower()),
        ("contains(fullname,'Ü')", lambda r: "ü" in r["fullname"].lower()),
        ("startswith(firstname,'a')", lambda r: (r["firstname"] or "").lower().startswith("a")),
        ("endswith(lastname,'er')", lambda r: r["lastname"].lower().endswith("er")),
        ("createdon eq modifiedon", lambda r: r["createdon"] == r["modifiedon"]),
        (
            "statecode eq 0 and (gendercode eq 1 or creditonhold eq true)",
            lambda r: r["statecode"] == 0 and (r["gendercode"] == 1 or r["creditonhold"] is True),
        ),
        (
            "statecode eq 0 or statecode eq 1 and gendercode eq 1",
            lambda r: r["statecode"] == 0 or (r["statecode"] == 1 and r["gendercode"] == 1),
        ),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName='gendercode',PropertyValues=['1','2'])",
            lambda r: r["gendercode"] in {1, 2},
        ),
    ],
)
def test_filter_returns_the_matching_rows(
    api: Api, text: str, holds: Callable[[dict[str, Any]], bool]
) -> None:
    found = {
        row["contactid"]
        for row in api.rows(f"contacts?$select=contactid&$filter={text.replace('+', '%2B')}")
    }
    assert found == {row["contactid"] for row in api.sandbox.rows("contact") if holds(row)}


def test_filter_with_quote_and_alias_is_understood(api: Api) -> None:
    key = api.sandbox.insert("account", [{"name": "O'Brien & Søn"}])[0]["accountid"]
    for path in (
        "accounts?$filter=name eq 'o''brien %26 SØN'",
        "accounts?$filter=name eq @p1&@p1='O''Brien %26 Søn'",
        f"accounts?$filter=accountid eq {key.upper()}",
    ):
        assert [row["accountid"] for row in api.rows(path)] == [key]
    api.sandbox.delete("account", key)


@pytest.mark.parametrize("option", ["$skip=1", "$search=x", "$format=json", "$foo=1"])
def test_option_that_is_not_supported_is_refused(api: Api, option: str) -> None:
    status, code, _ = api.refusal(f"accounts?{option}")
    assert (status, code) == (400, QUERY_ERROR)


def test_skip_is_refused_with_the_services_message(api: Api) -> None:
    expected = (400, QUERY_ERROR, "Skip Clause is not supported in CRM")
    assert api.refusal("accounts?$skip=5") == expected


@pytest.mark.parametrize("option", ["$select=Name", "$filter=Name eq 'x'", "$orderby=Name"])
def test_column_that_is_unknown_is_refused(api: Api, option: str) -> None:
    message = "Could not find a property named 'Name' on type 'Microsoft.Dynamics.CRM.account'."
    assert api.refusal(f"accounts?{option}") == (400, QUERY_ERROR, message)


@pytest.mark.parametrize(
    "text",
    [
        "name eq",
        "name eq 'x",
        "name eq 'x')",
        "(name eq 'x'",
        "name is 'x'",
        "statecode eq 'x'",
        "accountid eq guid'00000000-0000-0000-0000-000000000000'",
        "modifiedon ge '2020-01-01'",
        "modifiedon ge 2020-13-01T00:00:00Z",
        "accountid eq name",
        "length(name) eq 3",
        "contains(revenue,'1')",
        "numberofemployees eq 99999999999",
        "",
        "(" * 300 + "statecode eq 0" + ")" * 300,
    ],
)
def test_filter_that_is_invalid_is_refused(api: Api, text: str) -> None:
    status, code, message = api.refusal(f"accounts?$filter={text}")
    assert (status, code) == (400, QUERY_ERROR)
    assert message


def test_entity_set_that_is_unknown_is_refused(api: Api) -> None:
    message = "Resource not found for the segment 'Account'."
    assert api.refusal("Account") == (404, "0x8006088a", message)


def test_method_that_is_not_supported_is_refused(api: Api) -> None:
    response = api.session.post(api.sandbox.service_url + "accounts", json={}, timeout=10)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == ""


def test_table_without_privilege_is_refused(api: Api) -> None:
    api.sandbox.configure(forbidden_tables=["lead"])
    status, code, message = api.refusal("leads")
    assert (status, code) == (403, "0x80040220")
    assert "is missing prvReadLead privilege" in message
    assert api.get("accounts?$top=1").status_code == 200


def test_table_that_cannot_be_read_is_refused(api: Api) -> None:
    status, code, message = api.refusal("new_externalorders")
    assert (status, code) == (400, "0x80040800")
    assert "The 'RetrieveMultiple' method does not support entities of type" in message
