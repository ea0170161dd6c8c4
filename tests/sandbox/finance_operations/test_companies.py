"""Companies: the default one, all that the user reaches, and what tells of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sandbox.finance_client import FinanceSandbox
    from tests.sandbox.api import Api

REACHED = {"usmf", "ussi", "demf", "dat"}


def companies(api: Api, query: str) -> Counter[str]:
    """The companies of the rows of a query, with the number of rows."""
    return Counter(row["dataAreaId"] for row in api.read(query)["value"])


def stored(api: Api, table: str = "CustomersV3") -> Counter[str]:
    """The companies of the stored rows, with the number of rows."""
    return Counter(row["dataAreaId"] for row in api.sandbox.rows(table))


def test_rows_without_the_option_are_those_of_the_default_company(api: Api) -> None:
    found = companies(api, "CustomersV3")
    assert found == {"usmf": stored(api)["usmf"]}
    assert api.read("CustomersV3?$filter=dataAreaId eq 'ussi'")["value"] == []


@pytest.mark.parametrize(
    "query",
    [
        "cross-company=true",
        "cross-company=TRUE&$select=dataAreaId",
        "$select=dataAreaId&cross-company=True&$orderby=dataAreaId",
    ],
)
def test_rows_with_the_option_are_those_of_all_companies_within_reach(api: Api, query: str) -> None:
    found = companies(api, f"CustomersV3?{query}")
    assert set(found) == REACHED
    assert found == {name: number for name, number in stored(api).items() if name in REACHED}
    assert stored(api)["gbsi"] > 0


@pytest.mark.parametrize("option", ["cross-company=false", "Cross-Company=true", "cross-company="])
def test_option_in_another_spelling_is_ignored(api: Api, option: str) -> None:
    assert set(companies(api, f"CustomersV3?{option}")) == {"usmf"}


def test_company_is_compared_without_case(api: Api) -> None:
    query = "CustomersV3?cross-company=true&$filter=dataAreaId eq 'USSI'"
    assert companies(api, query) == {"ussi": stored(api)["ussi"]}
    query = "CustomersV3?cross-company=true&$filter=dataAreaId eq 'gbsi'"
    assert companies(api, query) == {}


def test_sets_without_a_company_are_complete_either_way(api: Api) -> None:
    own = api.read("AllProducts?$orderby=ProductNumber")["value"]
    assert own == api.read("AllProducts?$orderby=ProductNumber&cross-company=true")["value"]
    assert len(own) == len(api.sandbox.rows("AllProducts"))


def test_company_that_is_not_in_the_key_restricts_too(api: Api) -> None:
    assert set(companies(api, "ProjectEmployees")) == {"usmf"}
    assert set(companies(api, "ProjectEmployees?cross-company=true")) == REACHED


def test_count_is_of_the_same_companies(api: Api) -> None:
    number = stored(api)
    assert api.get("CustomersV3/$count").text == f"\ufeff{number['usmf']}"
    every = sum(number[name] for name in REACHED)
    assert api.get("CustomersV3/$count?cross-company=true").text == f"\ufeff{every}"


def test_row_of_another_company_by_its_key_needs_the_option(api: Api) -> None:
    row = next(row for row in api.sandbox.rows("AutomaticCharges") if row["dataAreaId"] == "demf")
    key = f"AutomaticCharges(dataAreaId='demf',ChargeCode='{row['ChargeCode']}')"
    response = api.get(key)
    assert (response.status_code, response.content) == (404, b"")
    assert api.read(f"{key}?cross-company=true")["ChargeCode"] == row["ChargeCode"]


def test_system_sets_tell_of_the_user_and_of_all_companies(api: Api) -> None:
    client = api.sandbox.settings["client_id"]
    app = api.read(f"SysAADClients('{client}')")
    user = api.read(f"SystemUsers('{app['UserId']}')")
    assert user["Company"] == "usmf"
    names = {row["DataArea"] for row in api.read("Companies")["value"]}
    assert names == REACHED | {"gbsi"}
    entities = {row["LegalEntityId"] for row in api.read("LegalEntities")["value"]}
    assert {name.lower() for name in entities} == names


def test_default_company_and_reach_can_be_changed(finance: FinanceSandbox, api: Api) -> None:
    before = finance.configure(default_company="demf", reached_companies=["demf", "gbsi"])
    assert before == {
        "default_company": "usmf",
        "reached_companies": ["usmf", "ussi", "demf", "dat"],
    }
    assert set(companies(api, "CustomersV3")) == {"demf"}
    assert set(companies(api, "CustomersV3?cross-company=true")) == {"demf", "gbsi"}
    (user,) = api.read("SystemUsers?$filter=UserID eq 'ada.sandbox'")["value"]
    assert user["Company"] == "demf"
