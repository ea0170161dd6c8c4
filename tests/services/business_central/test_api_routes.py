"""Setting api_routes: further APIs of the environment, their streams, and their addresses."""

from __future__ import annotations

import json
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.odata.edm import Table
from tap_dynamics365.services.business_central.kind import BUSINESS_CENTRAL
from tap_dynamics365.services.business_central.routes import stream_names
from tap_dynamics365.services.part import Part
from tests.services.business_central.documents import (
    STANDARD,
    EntitySet,
    document,
    running,
)
from tests.tap import Tap

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from sandbox.central_client import CentralSandbox
    from tests.tap import Run

CUSTOM = "sandbox/loyalty/v1.0"
ONE, TWO = "contoso/one/v1.0", "contoso/two/beta"
OFFERED = "The environment has further APIs"


def discovered(central: CentralSandbox, **others: Any) -> Run:
    """Discovery of the sandbox."""
    run = Tap({**central.settings, **others}).run("--discover")
    assert run.status == 0, run.log
    return run


def streams(run: Run) -> dict[str, str]:
    """The table names by stream."""
    return {each["tap_stream_id"]: each["table_name"] for each in json.loads(run.output)["streams"]}


def offered(run: Run) -> list[str]:
    """The lines of the log on routes that are not read."""
    return [line for line in run.logged("INFO") if line.startswith(OFFERED)]


@pytest.mark.parametrize("route", [CUSTOM, f"api/{CUSTOM}", f"/api/{CUSTOM}/", f" {CUSTOM}/ "])
def test_sets_of_a_further_api_are_streams(central: CentralSandbox, route: str) -> None:
    before = streams(discovered(central))
    found = streams(discovered(central, api_routes=[route]))
    names = ("loyaltyCards", "loyaltyTransactions", "loyaltyTotals")
    assert found == {**before, **{name: f"{CUSTOM}/{name}" for name in names}}


def test_streams_of_a_further_api_have_keys_and_columns_as_all_others(
    central: CentralSandbox,
) -> None:
    run = discovered(central, api_routes=[CUSTOM], tables=["loyaltyCards", "loyaltyTotals"])
    cards, totals = json.loads(run.output)["streams"]
    assert cards["key_properties"] == ["company_id", "systemId"]
    assert cards["replication_key"] == "systemRowVersion"
    assert totals["key_properties"] == []


def test_further_api_is_read_beside_web_services_with_one_stream_of_companies(
    central: CentralSandbox,
) -> None:
    root = central.api_url("ODataV4")
    run = discovered(central, service_url=root, api_routes=[CUSTOM, "v2.0"])
    found = streams(run)
    assert {"Company", "Customer_Card", "loyaltyCards", "customers"} <= {*found}
    assert "companies" not in found
    assert found["customers"] == "v2.0/customers"
    assert offered(run) == []


def test_route_of_service_url_is_not_read_twice(central: CentralSandbox) -> None:
    central.clear_requests()
    found = streams(discovered(central, api_routes=["V2.0", CUSTOM, CUSTOM.upper()]))
    documents = [r["path"] for r in central.requests() if "$metadata" in r["path"]]
    assert len(documents) == 2
    assert "customers" in found


def test_sets_of_the_same_name_have_the_route_in_the_name_of_the_stream() -> None:
    documents = {
        STANDARD: document(EntitySet("items"), EntitySet("bins")),
        f"api/{ONE}": document(EntitySet("Items"), EntitySet("zones"), EntitySet("cards")),
        f"api/{TWO}": document(EntitySet("zones"), EntitySet("tags")),
    }
    expected = {
        "companies": "companies",
        "items": "items",
        "bins": "bins",
        "contoso_one_v1_0_Items": f"{ONE}/Items",
        "contoso_one_v1_0_zones": f"{ONE}/zones",
        "cards": f"{ONE}/cards",
        "contoso_two_beta_zones": f"{TWO}/zones",
        "tags": f"{TWO}/tags",
    }
    for order in permutations([ONE, TWO]):
        with running(documents, api_routes=[*order]) as service:
            found = service.streams()
            assert {name: each["table_name"] for name, each in found.items()} == expected
            assert [*found] == [*expected]


def test_routes_that_read_alike_have_streams_of_different_names() -> None:
    first, second = "a_b/c/v1.0", "a/b_c/v1.0"
    documents = {
        STANDARD: document(EntitySet("bins")),
        f"api/{first}": document(EntitySet("bins")),
        f"api/{second}": document(EntitySet("bins")),
    }
    with running(documents, api_routes=[first, second]) as service:
        found = {name: each["table_name"] for name, each in service.streams().items()}
    assert found == {
        "companies": "companies",
        "bins": "bins",
        f"{first}/bins": f"{first}/bins",
        f"{second}/bins": f"{second}/bins",
    }


# Few letters, so that names collide, also with names that have a route in them.
SETS = st.sampled_from(["x", "X", "y", "x_x_beta_x", "x_x_beta_y", "x_y_v1_0_x"])
ROUTES_OF_SETS = st.sampled_from(["", "x/x/beta", "x/x/v1.0", "x_x/x/beta", "x/x_x/beta"])
SETS_OF_ROUTES = st.lists(
    st.tuples(ROUTES_OF_SETS, SETS).map(lambda pair: "/".join(filter(None, pair))),
    unique=True,
    max_size=12,
)


@given(SETS_OF_ROUTES, st.randoms(use_true_random=False))
def test_names_of_streams_are_unique_and_depend_on_no_order(names: list[str], by: Random) -> None:
    tables = [Table(name, name, ("id",), ()) for name in names]
    found = stream_names(tables)
    assert len({*found.values()}) == len(names)
    assert all(found[name] == name for name in names if "/" not in name)
    by.shuffle(tables)
    assert stream_names(tables) == found


def test_routes_that_are_not_read_are_logged_in_one_line(central: CentralSandbox) -> None:
    (line,) = offered(discovered(central))
    assert f": {CUSTOM}." in line
    assert "api_routes" in line
    assert offered(discovered(central, api_routes=[CUSTOM])) == []
    (line,) = offered(discovered(central, service_url=central.api_url("ODataV4")))
    assert f": {CUSTOM}, v2.0." in line
    (line,) = offered(discovered(central, service_url=central.api_url(f"api/{CUSTOM}")))
    assert ": v2.0." in line


ROUTES = [
    {"route": "x", "publisher": "microsoft", "group": "automation", "version": "v2.0"},
    {"route": "y", "publisher": "contoso", "group": "one", "version": "v1.0"},
    {"route": "z", "publisher": "Contoso", "group": "two", "version": "beta"},
    {"route": "v1.0", "publisher": "", "group": "", "version": "v1.0"},
    {"route": "v2.0", "publisher": "", "group": "", "version": "v2.0"},
]
PATH = "api/v2.0/apicategoryroutes"


def test_routes_of_microsoft_are_logged_last_and_old_standard_apis_not_at_all() -> None:
    with running({STANDARD: document(EntitySet("bins"))}, {PATH: ROUTES}) as service:
        (line,) = offered(service.tap.run("--discover"))
    assert ": Contoso/two/beta, contoso/one/v1.0, microsoft/automation/v2.0." in line


@pytest.mark.parametrize("rows", [[], [{}], [{"version": 7}, {"publisher": "a", "group": "b"}]])
def test_routes_that_make_no_sense_are_not_logged(rows: list[dict[str, Any]]) -> None:
    with running({STANDARD: document(EntitySet("bins"))}, {PATH: rows}) as service:
        run = service.tap.run("--discover")
    assert run.status == 0, run.log
    assert offered(run) == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_routes_that_cannot_be_read_are_no_error(central: CentralSandbox, status: int) -> None:
    central.fault("apicategoryroutes", status=status, count=None)
    run = discovered(central, ws_retry_count=0)
    assert offered(run) == []
    assert not run.logged("WARNING")
    assert "customers" in streams(run)


@pytest.mark.parametrize(
    "route",
    ["loyalty", "sandbox/v1.0", f"{CUSTOM}/loyaltyCards", "ODataV4", "sandbox/loyalty/1", "a/b/c"],
)
def test_route_that_is_none_is_refused_before_any_request(
    central: CentralSandbox, route: str
) -> None:
    central.clear_requests()
    sentence = Tap({**central.settings, "api_routes": [route]}).run("--discover").refusal()
    assert "api_routes" in sentence
    assert repr(route) in sentence
    assert "publisher/group/version" in sentence
    assert not central.requests()


def test_route_that_the_environment_lacks_is_named_in_the_error(central: CentralSandbox) -> None:
    run = Tap({**central.settings, "api_routes": ["contoso/none/v1.0"]}).run("--discover")
    assert "'contoso/none/v1.0' of the setting api_routes can't be read." in run.refusal()


def test_route_whose_document_is_not_valid_is_named_in_the_error() -> None:
    documents = {STANDARD: document(EntitySet("bins")), f"api/{ONE}": b"<html/>"}
    with running(documents, api_routes=[ONE]) as service:
        sentence = service.tap.run("--discover").refusal()
    assert f"{ONE!r} of the setting api_routes can't be read." in sentence


@pytest.mark.parametrize("path", ["/api/data/v9.2/", "/data/", "/odata/"])
def test_api_routes_are_refused_for_other_services(path: str) -> None:
    settings = {"service_url": f"http://127.0.0.1:9{path}", "access_token": "invented-token"}
    sentence = Tap({**settings, "api_routes": [CUSTOM]}).run("--discover").refusal()
    assert "Don't set api_routes: only Business Central has it" in sentence


BASE = "https://api.businesscentral.dynamics.com/v2.0/contoso.example/Production/"
ID = "11111111-2222-3333-4444-invented0000"
BY_ID, BY_NAME = f"companies({ID})/", "Company('A%20%26%20O''Neill')/"


@pytest.mark.parametrize(
    ("root", "entity_set", "path", "expected"),
    [
        ("api/v2.0/", "customers", BY_ID, f"api/v2.0/{BY_ID}customers"),
        ("api/v2.0/", "companies", "", "api/v2.0/companies"),
        ("api/v2.0/", f"{CUSTOM}/cards", BY_ID, f"api/{CUSTOM}/{BY_ID}cards"),
        (f"api/{CUSTOM}/", "v2.0/customers", BY_ID, f"api/v2.0/{BY_ID}customers"),
        (f"api/{ONE}/", f"{TWO}/tags", "", f"api/{TWO}/tags"),
        ("ODataV4/", "Sales_Order", BY_NAME, f"ODataV4/{BY_NAME}Sales_Order"),
        ("ODataV4/", "Größe", "", "ODataV4/Gr%C3%B6%C3%9Fe"),
        ("ODataV4/", f"{CUSTOM}/cards", BY_NAME, f"api/{CUSTOM}/{BY_ID}cards"),
    ],
)
def test_url_of_a_set_is_that_of_its_api(
    root: str, entity_set: str, path: str, expected: str
) -> None:
    part = Part(id=ID, name="A & O'Neill", path=path) if path else None
    assert BUSINESS_CENTRAL.url(f"{BASE}{root}", entity_set, part) == f"{BASE}{expected}"


@pytest.mark.parametrize("root", ["api/v2.0", "ODataV4", "api/sandbox/loyalty/v1.0"])
def test_rows_of_all_apis_are_extracted_with_their_company(
    central: CentralSandbox, root: str
) -> None:
    """Compare the numbers of rows with those of the sandbox, also of sets that are bound."""
    central.configure(closed_companies=[])
    names = ["Company", "Sales_Order", "companies", "paymentTerms", "salesOrderLines"]
    names += ["loyaltyCards", "loyaltyTransactions"]
    tap = Tap({**central.settings, "service_url": central.api_url(root), "tables": names})
    run = tap.but(api_routes=["v2.0", CUSTOM]).sync()
    rows = {table["set_name"]: table["rows"] for table in central.tables()}
    in_root = {"Company", "Sales_Order"} if root == "ODataV4" else {"companies"}
    expected = {*names[3:], *in_root}
    assert run.counts == {name: rows[name] for name in expected}
    for name in expected - {"Company", "companies"}:
        assert len({record["company_id"] for record in run.records(name)}) > 1


def test_schema_map_is_kept_for_each_choice_of_routes(
    central: CentralSandbox, tmp_path: Path
) -> None:
    kept = {"schema_map": str(tmp_path / "map.json")}

    def requests(**others: Any) -> tuple[list[str], Run]:
        central.clear_requests()
        run = discovered(central, **kept, **others)
        paths = [request["path"].partition("/Production/")[2] for request in central.requests()]
        return [path for path in paths if path], run

    made = ["api/v2.0/$metadata", PATH, "api/v2.0/entityDefinitions"]
    custom = [made[0], f"api/{CUSTOM}/$metadata", *made[1:]]
    asked, first = requests()
    assert asked == made
    asked, second = requests()
    assert asked == []
    assert first.output == second.output
    asked, run = requests(api_routes=[CUSTOM])
    assert asked == custom
    assert "loyaltyCards" in streams(run)
    assert any("other api_routes" in line for line in run.logged("INFO"))
    asked, again = requests(api_routes=[CUSTOM])
    assert asked == []
    assert again.output == run.output
    assert run.output == discovered(central, api_routes=[CUSTOM]).output
    asked, run = requests()
    assert asked == made
    assert run.output == first.output


def test_schema_map_of_other_routes_is_no_description_for_create_map_no(
    central: CentralSandbox, tmp_path: Path
) -> None:
    tap = Tap({**central.settings, "schema_map": str(tmp_path / "map.json")})
    tap.discover()
    run = tap.but(api_routes=[CUSTOM], create_map="No").run("--discover")
    assert "create_map is No" in run.refusal()
