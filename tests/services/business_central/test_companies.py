"""Companies: which there are, which are selected, and the way to their rows."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sandbox import central_client
from sandbox.business_central.companies import ALL, CLOSED, COPY, EMPTY, MAIN, OWN
from tap_dynamics365.connection import connect
from tap_dynamics365.errors import ServiceError, SettingsError
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.servers.scripted import Scripted, answer, serving
from tests.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.central_client import CentralSandbox
    from sandbox.client import Sandbox
    from tap_dynamics365.services.part import Part

API, WEB = "api/v2.0", "ODataV4"
ROUTES = [API, "api/sandbox/loyalty/v1.0", WEB]
#: Ways to sets with rows in a company: the API of the service root, the entity set in the catalog,
#: the set in the sandbox, and a column that is the rows' own.
SETS = [
    (API, "paymentTerms", "paymentTerms", "code"),
    (API, "sandbox/loyalty/v1.0/loyaltyTotals", "loyaltyTotals", "cardCode"),
    (WEB, "Customer_Card", "Customer_Card", "No"),
    (WEB, "v2.0/paymentTerms", "paymentTerms", "code"),
]


def read(settings: Settings) -> Sequence[Part]:
    """Read the companies as the tap does."""
    service = connect(settings)
    try:
        return service.kind.parts(service.client, settings)
    finally:
        service.client.close()


def settings_of(url: str, **others: Any) -> Settings:
    """Settings that lead to a URL."""
    given = {"access_token": "invented-access-token", **others, "service_url": url}
    return Settings.from_config(given, JSON_SCHEMA)


def at(central: CentralSandbox, route: str, **others: Any) -> Settings:
    """Settings that lead to an API of the sandbox."""
    url, given = central.api_url(route), {**central.settings, **others}
    return settings_of(url, **{"access_token": None, **given})


def companies(central: CentralSandbox, route: str = API, **others: Any) -> Sequence[Part]:
    """Read the companies of the sandbox."""
    return read(at(central, route, **others))


def chosen(central: CentralSandbox, *names: str, route: str = API) -> list[str]:
    """The names of the selected companies."""
    found = companies(central, route, companies=[*names])
    return [company.name for company in found if company.is_selected]


@pytest.mark.parametrize("route", ROUTES)
def test_all_companies_are_listed_by_name_and_selected(central: CentralSandbox, route: str) -> None:
    found = companies(central, route)
    expected = sorted(((each.name, each.id) for each in ALL), key=lambda pair: pair[0].lower())
    assert [(part.name, part.id) for part in found] == expected
    assert all(part.is_selected for part in found)
    for part in found:
        assert part.values == {"company_id": part.id, "company_name": part.name}
        assert next(iter(part.values)) == "company_id"


@pytest.mark.parametrize("route", ROUTES)
def test_companies_of_all_pages_are_listed_with_one_request_a_page(
    central: CentralSandbox, route: str
) -> None:
    central.configure(page_size_cap=2)
    central.clear_requests()
    assert len(companies(central, route)) == len(ALL)
    paths = [request["path"] for request in central.requests() if "ompan" in request["path"]]
    assert len(paths) == len(ALL) // 2 + 1


@pytest.mark.parametrize("route", [API, WEB])
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([MAIN.id], [MAIN]),
        ([MAIN.id.upper(), OWN.name], [MAIN, OWN]),
        (["o'neill söhne gmbh"], [OWN]),
        (["C*"], [CLOSED, COPY, MAIN]),
        (["c*/*"], [COPY]),
        (["[mo]?*"], [EMPTY, OWN]),
        (["*"], ALL),
    ],
)
def test_setting_selects_by_id_name_or_pattern(
    central: CentralSandbox, route: str, names: list[str], expected: Sequence[Any]
) -> None:
    found = chosen(central, *names, route=route)
    assert found == sorted([each.name for each in expected], key=str.lower)


def test_empty_setting_selects_all(central: CentralSandbox) -> None:
    assert len(chosen(central)) == len(ALL)


def test_name_with_wildcards_is_matched_literally_too(changing_central: CentralSandbox) -> None:
    for name in ("[Old] Company", "Other? Company", "Other! Company"):
        changing_central.add_company(name)
    assert chosen(changing_central, "[old] company") == ["[Old] Company"]
    assert chosen(changing_central, "Other? Company") == ["Other! Company", "Other? Company"]


def test_name_that_matches_no_company_is_named_in_a_warning(
    central: CentralSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert chosen(central, "Nobody*", MAIN.name, "CRONUS") == [MAIN.name]
    assert caplog.messages == [
        "No company matches 'Nobody*' of the setting companies.",
        "No company matches 'CRONUS' of the setting companies.",
    ]


def test_setting_that_matches_nothing_is_refused_with_the_companies_there_are(
    changing_central: CentralSandbox,
) -> None:
    with pytest.raises(SettingsError) as caught:
        chosen(changing_central, "Nobody*")
    names = ", ".join(repr(name) for name in sorted([each.name for each in ALL], key=str.lower))
    assert caught.value.message == (
        f"No company matches the setting companies. The companies are: {names}."
    )
    for number in range(8):
        changing_central.add_company(f"Z{number}")
    with pytest.raises(SettingsError) as caught:
        chosen(changing_central, "Nobody*", "No one")
    assert caught.value.message.endswith(", 'Z3', 'Z4', and 3 more.")


@pytest.mark.parametrize(
    "url",
    [
        "https://invented.crm4.dynamics.com/api/data/v9.2/",
        "https://invented.operations.dynamics.com/data/",
        "https://gateway.example/odata/",
    ],
)
def test_setting_for_another_service_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="Don't set companies: only Business Central has it"):
        connect(settings_of(url, companies=["*"]))
    assert connect(settings_of(url, companies=[]))


def test_cross_company_is_refused() -> None:
    url = "https://api.businesscentral.dynamics.com/v2.0/production/api/v2.0/"
    with pytest.raises(SettingsError, match="only Finance & Operations has it"):
        connect(settings_of(url, cross_company=True))


# Runs of the tap.

LISTED = {API: "companies", WEB: "Company"}


@pytest.mark.parametrize(
    ("route", "tables"),
    [(API, ["paymentTerms", "customers"]), (WEB, ["Customer_Card", "Sales_Order"])],
)
def test_run_reads_the_selected_companies_and_lists_them_once(
    central: CentralSandbox, route: str, tables: list[str], way: dict[str, Any]
) -> None:
    given = {**central.settings, **way, "service_url": central.api_url(route)}
    tap = Tap({**given, "companies": ["c*", "Nobody*", EMPTY.id], "tables": tables})
    catalog = tap.discover()
    central.clear_requests()
    run = tap.sync(catalog=catalog)
    for table in tables:
        found = {(row["company_id"], row["company_name"]) for row in run.records(table)}
        # One of the others has no rows, and one refuses to be read.
        assert found == {(each.id, each.name) for each in (COPY, MAIN)}
    warnings = [line for line in run.logged("WARNING") if "of the setting companies" in line]
    assert warnings == ["No company matches 'Nobody*' of the setting companies."]
    paths = [request["path"] for request in central.requests()]
    assert [path.rpartition("/")[2] for path in paths].count(LISTED[route]) == 1


@pytest.mark.parametrize("arguments", [[], ["--test"]])
def test_run_without_a_company_ends_with_one_sentence(
    central: CentralSandbox, arguments: list[str], way: dict[str, Any]
) -> None:
    tap = Tap({**central.settings, **way, "companies": ["Nobody*"], "tables": ["customers"]})
    run = tap.run(*arguments)
    assert "No company matches the setting companies. The companies are: " in run.refusal()
    assert not run.output


def test_discovery_does_not_list_companies(central: CentralSandbox) -> None:
    Tap({**central.settings, "companies": ["Nobody*"]}).discover()
    assert not any(request["path"].endswith("/companies") for request in central.requests())


def test_setting_of_another_service_ends_the_run_with_one_sentence(sandbox: Sandbox) -> None:
    sentence = Tap({**sandbox.settings, "companies": ["*"]}).run("--discover").refusal()
    assert sentence.startswith("Don't set companies: only Business Central has it")


# Answers that the sandbox does not give.


def page(row: str = "", link: str = "") -> str:
    """A page with at most one row."""
    more = f',"@odata.nextLink":"{link}"' if link else ""
    return f'{{"value":[{row}]{more}}}'


def answering(*answers: str) -> Any:  # noqa: ANN401 - a context manager
    """A server with these answers, one after the other."""
    bodies = iter(answers)
    return serving(lambda _: answer(next(bodies).encode()))


def listed(server: Scripted, path: str = "ODataV4/", **others: Any) -> Sequence[Part]:
    """Read the companies of a server."""
    return read(settings_of(f"{server.url}/BC/{path}", **others))


@pytest.mark.parametrize("more", ["", ',"Id":""', ',"Id":"00000000-0000-0000-0000-000000000000"'])
def test_name_is_the_id_of_a_company_without_one(more: str) -> None:
    row = f'{{"Name":"Main & more"{more}}}'
    with answering(page(row)) as server:
        (company,) = listed(server, companies=["main*"])
    assert company.id == company.name == "Main & more"
    assert company.values == {"company_id": "Main & more", "company_name": "Main & more"}
    assert company.is_selected


def test_company_that_two_pages_list_is_read_once() -> None:
    row = '{"id":"c0a0","name":"Main"}'
    with answering(page(row, "/BC/api/v2.0/companies?$skiptoken=c0a0"), page(row)) as server:
        assert [part.path for part in listed(server, "api/v2.0/")] == ["companies(c0a0)/"]


def test_service_without_a_company_is_an_error() -> None:
    with answering(page()) as server, pytest.raises(ServiceError) as caught:
        listed(server)
    assert "lists no company" in caught.value.message


def test_list_that_leads_back_to_itself_is_an_error() -> None:
    same = page('{"Name":"Main"}', "/BC/ODataV4/Company?$skiptoken=1")
    with answering(same, same, same) as server, pytest.raises(ServiceError) as caught:
        listed(server)
    assert "can't be read whole" in caught.value.message


def test_company_without_a_name_is_an_error() -> None:
    with answering(page('{"name":"Main"}')) as server, pytest.raises(ServiceError) as caught:
        listed(server)
    assert "a company without 'Name'" in caught.value.message


# The way to the rows.


@pytest.fixture(scope="module")
def many() -> Iterator[CentralSandbox]:
    """A sandbox that gets companies of many names."""
    with central_client.running(rows=100) as sandbox:
        yield sandbox


NAMES = st.text(
    st.one_of(
        st.sampled_from("'/&+ %?#=\"\\().,;:@$äöüßéŁ*[]~"), st.characters(exclude_categories=("C",))
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60)
@given(NAMES)
@example("a/b")
@example("'a''b'")
@example("..%2F+&#?")
def test_any_name_survives_the_way_to_the_rows(many: CentralSandbox, name: str) -> None:
    assume(name not in {each["name"] for each in many.companies()})
    company = many.add_company(name)
    try:
        for number, (route, entity_set, table, column) in enumerate(SETS):
            many.insert(table, [{"$company": company["id"], column: str(number)}])
            (part,) = [part for part in companies(many, route) if part.name == name]
            assert part.id == company["id"]
            assert chosen(many, name, route=route)
            assert str(number) in values(many, route, part, entity_set, column)
    finally:
        many.remove_company(company["id"])


def values(
    central: CentralSandbox, route: str, part: Part, entity_set: str, column: str
) -> list[str]:
    """The values of a column of the rows of a company."""
    service = connect(at(central, route))
    client = service.client
    try:
        page = client.read_page(service.kind.url(client.url, entity_set, part))
        return [json.loads(bytes(row))[column] for row in page.rows]
    finally:
        client.close()
