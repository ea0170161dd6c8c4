"""Discovery of Business Central: streams, columns that the tap adds, keys, and selection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.business_central.documents import (
    API,
    WEB,
    WEB_SERVICES,
    EntitySet,
    document,
    link,
    prop,
)
from tests.services.business_central.documents import running as service
from tests.tap import Message, Tap, entry, own_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.central_client import CentralSandbox
    from tests.tap import Run

COMPANY = ["company_id", "company_name"]
CHANGED_AT = "parentLastModifiedDateTime"
TIME = "Edm.DateTimeOffset"
AT = "2026-01-02T03:04:05Z"


@pytest.fixture(scope="module")
def discovered(central_sandbox: CentralSandbox) -> Iterator[Run]:
    """Discovery of the session's sandbox."""
    with central_sandbox.unchanged():
        run = Tap(central_sandbox.settings).run("--discover")
        assert run.status == 0, run.log
        yield run


@pytest.fixture(scope="module")
def catalog(discovered: Run) -> Message:
    """The catalog of the session's sandbox."""
    found: Message = json.loads(discovered.output)
    return found


def columns(stream: Message) -> Message:
    """The columns of a stream."""
    found: Message = stream["schema"]["properties"]
    return found


def web_services(central: CentralSandbox) -> Tap:
    """The tap for the OData web services."""
    return Tap({**central.settings, "service_url": central.api_url("ODataV4")})


def lines(run: Run, beginning: str) -> list[str]:
    """Lines of the log that begin with a text."""
    return [line for line in run.logged("INFO") if line.startswith(beginning)]


def stream(*sets: EntitySet, name: str = "", namespace: str = API, **settings: Any) -> Message:
    """The catalog entry of the last one of these sets, or of a named one."""
    root = WEB_SERVICES if namespace == WEB else "api/v2.0"
    with service({root: document(*sets, namespace=namespace)}, root=root, **settings) as running:
        return running.streams()[name or sets[-1].name]


def test_streams_are_the_companies_and_the_sets_that_are_read_in_a_company(
    central: CentralSandbox, catalog: Message
) -> None:
    expected = {
        table["set_name"]
        for table in central.tables()
        if table["api"] == "api/v2.0" and table["has_company"]
    }
    found = {each["tap_stream_id"]: each["table_name"] for each in catalog["streams"]}
    assert found == {name: name for name in {*expected, "companies"}}
    assert len(found) == 20


@pytest.mark.parametrize(
    ("own", "added"),
    [
        ("number", ["company_id", "company_name"]),
        ("companyId", ["company_id", "company_name"]),
        ("company_id", ["_company_id", "company_name"]),
        ("Company_ID", ["_company_id", "company_name"]),
        ("COMPANY_NAME", ["company_id", "_company_name"]),
    ],
)
def test_columns_of_the_company_are_first_under_names_that_are_free(
    own: str, added: list[str]
) -> None:
    found = stream(EntitySet("bins", parts=(prop(own),)))
    assert [*columns(found)] == [*added, "id", own]
    assert found["key_properties"] == [added[0], "id"]
    assert columns(found)[added[0]]["type"] == ["string"]
    assert columns(found)[added[0]]["format"] == "uuid"
    assert columns(found)[added[1]]["type"] == ["string", "null"]
    assert all("company" in columns(found)[name]["description"] for name in added)


def test_companies_themselves_have_no_columns_of_the_company(catalog: Message) -> None:
    found = entry(catalog, "companies")
    assert found["key_properties"] == ["id"]
    assert not {*COMPANY} & {*columns(found)}
    assert found["replication_key"] == "systemModifiedAt"


def test_set_that_is_in_no_company_is_no_stream() -> None:
    sets = EntitySet("bins"), EntitySet("settings", is_in_company=False)
    with service({"api/v2.0": document(*sets)}) as running:
        assert [*running.streams()] == ["companies", "bins"]


def test_sets_of_a_document_that_names_no_companies_are_streams() -> None:
    left_out = EntitySet("subscriptions")
    with service({"api/v2.0": document(EntitySet("bins"), left_out, companies=False)}) as running:
        assert [*running.streams()] == ["bins"]


LEFT_OUT = [
    "apicategoryroutes",
    "entityDefinitions",
    "externalbusinesseventdefinitions",
    "externaleventsubscriptions",
    "subscriptions",
    "applyVendorEntries",
    "pdfDocument",
]


@pytest.mark.parametrize("name", LEFT_OUT)
def test_set_without_rows_of_its_own_is_no_stream(name: str) -> None:
    with service({"api/v2.0": document(EntitySet("bins"), EntitySet(name))}) as running:
        assert [*running.streams()] == ["companies", "bins"]


@pytest.mark.parametrize("name", ["scheduledJobs", "userPermissions"])
def test_set_of_one_parent_is_no_stream_of_the_automation_api_only(name: str) -> None:
    api = document(EntitySet("automationCompanies"), EntitySet(name), EntitySet("users"))
    with service({"api/v2.0": api}) as running:
        assert [*running.streams()] == ["companies", "automationCompanies", "users"]
    with service({"api/v2.0": document(EntitySet(name))}) as running:
        assert [*running.streams()] == ["companies", name]


def test_parameters_of_queries_are_left_out_and_logged(
    central: CentralSandbox, discovered: Run, catalog: Message
) -> None:
    assert "dateFilter_FilterOnly" not in columns(entry(catalog, "customerSales"))
    assert "dateFilter" in columns(entry(catalog, "trialBalances"))
    (line,) = lines(discovered, "Left out, because they are parameters")
    assert line.endswith(": customerSales.dateFilter_FilterOnly.")
    run = web_services(central).run("--discover")
    assert "Date_Filter" not in columns(entry(json.loads(run.output), "Customer_Card"))
    (line,) = lines(run, "Left out, because they are parameters")
    assert line.endswith(": Customer_Card.Date_Filter.")


def test_columns_with_names_like_parameters_stay_where_they_are_columns() -> None:
    own = prop("Air_Filter"), prop("Filter"), prop("Only_FilterOnly_X"), prop("Date_FilterOnly")
    found = columns(stream(EntitySet("bins", parts=own)))
    assert [*found] == [*COMPANY, "id", "Air_Filter", "Filter", "Only_FilterOnly_X"]
    key = EntitySet("Filters", ("Date_Filter",), parts=(prop("Global_Filter"),))
    found = columns(stream(key, namespace=WEB))
    assert [*found] == [*COMPANY, "Date_Filter"]


@pytest.mark.parametrize("name", ["auxiliaryIndex1", "AuxiliaryIndex12", "AUXILIARYINDEX"])
@pytest.mark.parametrize("namespace", [API, WEB])
def test_table_whose_key_counts_rows_has_no_key(name: str, namespace: str) -> None:
    found = stream(EntitySet("Totals", ("No", name)), namespace=namespace)
    assert found["key_properties"] == []
    assert [*columns(found)] == [*COMPANY, "No", name]


def test_tables_without_a_key_are_logged(central: CentralSandbox) -> None:
    run = web_services(central).run("--discover")
    assert lines(run, "Tables without a key") == ["Tables without a key: Item_Ledger_Query."]


REPORTS = [
    "agedAccountsPayables",
    "agedAccountsReceivables",
    "balanceSheets",
    "cashFlowStatements",
    "incomeStatements",
    "retainedEarningsStatements",
    "trialBalances",
]


@pytest.mark.parametrize("name", REPORTS)
def test_report_is_not_selected_by_default(name: str) -> None:
    own = own_metadata(stream(EntitySet(name)))
    assert (own["selected"], own["selected-by-default"]) == (False, False)


def test_reports_are_logged_and_all_other_streams_are_selected(
    discovered: Run, catalog: Message
) -> None:
    (line,) = lines(discovered, "Not selected by default")
    assert "computed when read" in line
    assert line.endswith(": trialBalances.")
    selected = {
        each["tap_stream_id"]: own_metadata(each)["selected"] for each in catalog["streams"]
    }
    assert [name for name, is_selected in selected.items() if not is_selected] == ["trialBalances"]


LINES = [
    "salesInvoiceLines",
    "salesOrderLines",
    "salesQuoteLines",
    "salesCreditMemoLines",
    "purchaseInvoiceLines",
    "purchaseOrderLines",
    "purchaseCreditMemoLines",
]


def header(name: str, *, key: str = "documentId", many: bool = True, time: str = "") -> EntitySet:
    """A parent of the rows of a set."""
    stamp = prop(time or "lastModifiedDateTime", TIME)
    return EntitySet("headers", parts=(stamp, link("rows", f"{name}Type", ("id", key), many=many)))


@pytest.mark.parametrize("name", LINES)
def test_lines_have_the_time_of_their_document_as_replication_key(name: str) -> None:
    found = stream(header(name), EntitySet(name, parts=(prop("documentId", "Edm.Guid"),)))
    assert [*columns(found)] == [*COMPANY, "id", "documentId", CHANGED_AT]
    assert found["key_properties"] == ["company_id", "id"]
    assert (found["replication_key"], found["replication_method"]) == (CHANGED_AT, "INCREMENTAL")
    column = columns(found)[CHANGED_AT]
    assert column["format"] == "date-time"
    assert "parent" in column["description"]


def test_bound_set_with_a_time_of_its_own_has_no_time_of_the_parent(catalog: Message) -> None:
    for name in ("journalLines", "defaultDimensions"):
        found = entry(catalog, name)
        assert CHANGED_AT not in columns(found)
        assert found["replication_key"] == "lastModifiedDateTime"


def test_bound_set_is_a_full_table_if_no_parent_has_a_time() -> None:
    parent = EntitySet("headers", parts=(link("rows", "picturesType", ("id", "id"), many=False),))
    found = stream(parent, EntitySet("pictures"))
    assert [*columns(found)] == [*COMPANY, "id"]
    assert found["replication_method"] == "FULL_TABLE"


def test_bound_set_whose_rows_lack_the_id_of_the_parent_gets_it() -> None:
    found = stream(header("salesInvoiceLines"), EntitySet("salesInvoiceLines"))
    assert [*columns(found)] == [*COMPANY, "id", "parent_id", CHANGED_AT]
    assert columns(found)["parent_id"]["format"] == "uuid"
    assert found["key_properties"] == ["company_id", "id"]


def test_bound_set_of_an_old_document_without_pairs_of_columns_is_complete() -> None:
    parent = EntitySet(
        "headers", parts=(prop("lastModifiedDateTime", TIME), link("rows", "salesOrderLinesType"))
    )
    own = EntitySet("salesOrderLines", parts=(prop("documentId", "Edm.Guid"),))
    assert [*columns(stream(parent, own))] == [*COMPANY, "id", "documentId", CHANGED_AT]
    lacking = stream(parent, EntitySet("salesOrderLines"))
    assert [*columns(lacking)] == [*COMPANY, "id", "parent_id", CHANGED_AT]


@pytest.mark.parametrize(
    ("name", "key", "parent"),
    [
        ("dimensionSetLines", "id", "parentId"),
        ("contactsInformation", "contactId", "relatedId"),
    ],
)
def test_set_whose_ids_repeat_has_the_parent_in_its_key(name: str, key: str, parent: str) -> None:
    own = EntitySet(name, (key,), parts=(prop(parent, "Edm.Guid"),))
    found = stream(header(name, key=parent), own)
    assert found["key_properties"] == ["company_id", key, parent]
    assert columns(found)[parent]["type"] == ["string"]
    found = stream(header(name, key=parent), EntitySet(name, (key, parent)))
    assert found["key_properties"] == ["company_id", key, parent]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["lastModifiedDateTime", "systemModifiedAt", "systemRowVersion"], "systemRowVersion"),
        (["lastModifiedDateTime", "systemModifiedAt"], "systemModifiedAt"),
        (["lastModifiedDateTime", "modifiedOn"], "lastModifiedDateTime"),
        (["lastModfiedDateTime"], "lastModfiedDateTime"),
        (["SystemModifiedAt"], "SystemModifiedAt"),
        (["systemCreatedAt"], None),
        (["lastDateModified"], None),
    ],
)
@pytest.mark.parametrize("namespace", [API, WEB])
def test_replication_key_is_the_best_column_that_the_server_sets(
    names: list[str], expected: str | None, namespace: str
) -> None:
    kinds = {"systemRowVersion": "Edm.Int64", "lastDateModified": "Edm.Date"}
    own = tuple(prop(name, kinds.get(name, TIME)) for name in names)
    found = stream(EntitySet("bins", parts=own), namespace=namespace)
    assert found.get("replication_key") == expected
    assert found["replication_method"] == ("INCREMENTAL" if expected else "FULL_TABLE")


def test_column_of_another_type_is_no_replication_key() -> None:
    own = prop("systemModifiedAt", "Edm.Date"), prop("lastModifiedDateTime")
    found = stream(EntitySet("bins", parts=own))
    assert found["replication_method"] == "FULL_TABLE"


def test_web_services_are_streams_named_after_their_sets(central: CentralSandbox) -> None:
    found = web_services(central).discover()["streams"]
    keys = {each["tap_stream_id"]: each["key_properties"] for each in found}
    assert keys == {
        "Company": ["Name"],
        "Customer_Card": ["company_id", "No"],
        "Sales_Order": ["company_id", "Document_Type", "No"],
        "Item_Ledger_Query": [],
    }
    assert {each["replication_method"] for each in found} == {"FULL_TABLE"}


def test_discovery_takes_a_request_for_each_document_and_routes_and_captions(
    central: CentralSandbox,
) -> None:
    central.clear_requests()
    Tap(central.settings).discover()
    names = [request["path"].rpartition("/")[2] for request in central.requests()]
    assert names == ["token", "$metadata", "apicategoryroutes", "entityDefinitions"]


def test_pattern_of_tables_matches_sets_and_types(central: CentralSandbox) -> None:
    tap = Tap({**central.settings, "tables": ["CUSTOMER", "sales*lines", "subscriptions"]})
    run = tap.run("--discover")
    found = [each["tap_stream_id"] for each in json.loads(run.output)["streams"]]
    assert found == ["customers", "salesInvoiceLines", "salesOrderLines"]
    (warning,) = run.logged("WARNING")
    assert "'subscriptions'" in warning


def test_rows_without_the_id_of_their_parent_have_it_in_their_records() -> None:
    own = {"id": "11111111-2222-3333-4444-000000000001", "lastModifiedDateTime": AT}
    documents = {"api/v2.0": document(header("salesInvoiceLines"), EntitySet("salesInvoiceLines"))}
    answers = {
        "api/v2.0/companies": [{"id": "c1", "name": "Contoso"}],
        "api/v2.0/companies(c1)/headers": [{**own, "rows": [{"id": "r1"}, {"id": "r2"}]}],
    }
    with service(documents, answers, tables=["salesInvoiceLines"]) as running:
        run = running.tap.sync()
        asked = "".join(running.asked)
    assert run.records("salesInvoiceLines") == [
        {
            "company_id": "c1",
            "company_name": "Contoso",
            "id": name,
            "parent_id": own["id"],
            CHANGED_AT: AT,
        }
        for name in ("r1", "r2")
    ]
    assert "rows($select=id)" in asked


def test_set_of_a_custom_api_with_the_name_of_a_bound_set_is_read_plainly() -> None:
    root = "api/contoso/one/v1.0"
    answers = {
        f"{root}/companies": [{"id": "c1", "name": "Contoso"}],
        f"{root}/companies(c1)/pictures": [{"id": "p1"}],
    }
    documents = {root: document(EntitySet("pictures"))}
    with service(documents, answers, root=root, tables=["pictures"]) as running:
        run = running.tap.sync()
    assert [record["id"] for record in run.records("pictures")] == ["p1"]
