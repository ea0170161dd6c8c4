"""Parents: the ways to rows that can't be read plainly, in the sandbox and in other documents."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.connection import connect
from tap_dynamics365.errors import ServiceError
from tap_dynamics365.odata.csdl import read
from tap_dynamics365.services.business_central import sets
from tap_dynamics365.services.business_central.parents import paths
from tap_dynamics365.services.parent_path import ParentPath
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.services.business_central.documents import WEB, EntitySet, document, link, prop
from tests.singer.test_discovery import DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.central_client import CentralSandbox
    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.services.kind import Service

TIME = prop("lastModifiedDateTime", "Edm.DateTimeOffset")
CUSTOM = "sandbox/loyalty/v1.0"


def connected(central: CentralSandbox, **others: Any) -> Service:
    """Connect to the sandbox as the tap does."""
    return connect(Settings.from_config({**central.settings, **others}, JSON_SCHEMA))


@pytest.fixture
def connection(central: CentralSandbox) -> Iterator[Service]:
    """A connection to the session's sandbox."""
    service = connected(central)
    with closing(service.client):
        yield service


def found(connection: Service, entity_set: str) -> list[str]:
    """The names of the ways to the rows of a set."""
    return [path.name for path in connection.kind.parents(connection.client, entity_set)]


def tables(*entity_sets: EntitySet, namespace: str = "Microsoft.NAV") -> Sequence[Table]:
    """The tables of a document."""
    data = document(*entity_sets, namespace=namespace)
    return read([data], is_named_by_set=True, has_navigations=True)


def names(entity_set: str, *entity_sets: EntitySet, namespace: str = "Microsoft.NAV") -> list[str]:
    """The names of the ways to the rows of a set of a document."""
    return [path.name for path in paths(tables(*entity_sets, namespace=namespace), entity_set)]


def test_parent_that_can_be_read_plainly_is_one_step(connection: Service) -> None:
    (path,) = connection.kind.parents(connection.client, "salesInvoiceLines")
    assert path == ParentPath(
        parent="salesInvoices",
        steps=("salesInvoiceLines",),
        id="id",
        changed_at="lastModifiedDateTime",
    )


def test_parent_that_is_bound_is_reached_through_its_own_parents(connection: Service) -> None:
    assert found(connection, "dimensionSetLines") == [
        "salesInvoices/dimensionSetLines",
        "salesInvoices/salesInvoiceLines/dimensionSetLines",
        "salesOrders/dimensionSetLines",
        "salesOrders/salesOrderLines/dimensionSetLines",
        "generalLedgerEntries/dimensionSetLines",
    ]


def test_navigation_to_one_row_is_a_way(connection: Service) -> None:
    assert found(connection, "pictures") == ["customers/picture", "items/picture"]


def test_navigation_from_a_line_to_its_header_is_no_way(connection: Service) -> None:
    assert found(connection, "journalLines") == ["journals/journalLines"]
    assert found(connection, "salesInvoices") == []
    assert found(connection, "journals") == []


def test_set_that_is_not_there_has_no_ways(connection: Service) -> None:
    assert found(connection, "timeRegistrationEntries") == []
    assert found(connection, f"{CUSTOM}/nosuch") == []


def test_set_of_a_custom_api_has_ways_within_it(connection: Service) -> None:
    name = f"{CUSTOM}/loyaltyTransactions"
    (path,) = connection.kind.parents(connection.client, name)
    assert path == ParentPath(
        parent=f"{CUSTOM}/loyaltyCards",
        steps=("loyaltyTransactions",),
        id="systemId",
        changed_at="systemModifiedAt",
    )


def test_document_is_read_once_for_each_api_also_from_threads(
    central: CentralSandbox, connection: Service
) -> None:
    central.configure(metadata_delay_ms=100)
    asked = ["salesInvoiceLines", "pictures", f"{CUSTOM}/loyaltyCards", "journalLines"] * 4
    central.clear_requests()
    with ThreadPoolExecutor(8) as pool:
        results = [*pool.map(lambda name: found(connection, name), asked)]
    assert results[:4] == results[4:8]
    assert results[0] == ["salesInvoices/salesInvoiceLines"]
    read_documents = [r["path"] for r in central.requests() if "$metadata" in r["path"]]
    assert sorted(path.partition("/api/")[2] for path in read_documents) == [
        f"{CUSTOM}/$metadata",
        "v2.0/$metadata",
    ]


def test_document_is_read_again_after_a_failure(
    central: CentralSandbox, connection: Service
) -> None:
    central.fault("$metadata", status=404)
    with pytest.raises(ServiceError):
        found(connection, "pictures")
    assert found(connection, "pictures") == ["customers/picture", "items/picture"]


def test_another_client_reads_the_document_itself(central: CentralSandbox) -> None:
    for _ in range(2):
        service = connected(central)
        central.clear_requests()
        with closing(service.client):
            assert found(service, "pictures")
        assert any("$metadata" in request["path"] for request in central.requests())


def test_set_of_another_api_is_reached_within_that_api(central: CentralSandbox) -> None:
    root = central.api_url("ODataV4")
    service = connected(central, service_url=root)
    with closing(service.client):
        assert found(service, "v2.0/journalLines") == ["v2.0/journals/journalLines"]
        (path,) = service.kind.parents(service.client, "v2.0/salesInvoiceLines")
    assert path.parent == "v2.0/salesInvoices"


BOUND = [
    *("salesInvoiceLines", "salesOrderLines", "salesQuoteLines", "salesCreditMemoLines"),
    *("purchaseInvoiceLines", "purchaseOrderLines", "purchaseCreditMemoLines"),
    *("journalLines", "customerPayments", "vendorPayments"),
    *("dimensionSetLines", "defaultDimensions", "pictures"),
    *("contactsInformation", "timeRegistrationEntries"),
]


@pytest.mark.parametrize("name", BOUND)
def test_known_sets_are_bound_in_the_standard_apis_only(connection: Service, name: str) -> None:
    is_bound = connection.kind.is_bound
    assert is_bound(name)
    assert is_bound(f"v1.0/{name}")
    assert not is_bound(f"{CUSTOM}/{name}")


@pytest.mark.parametrize(
    "name", ["customers", "salesInvoices", "salesShipmentLines", "attachments", "companies"]
)
def test_other_sets_are_not_bound(connection: Service, name: str) -> None:
    assert not connection.kind.is_bound(name)


def test_bound_sets_of_the_sandbox_are_those_that_it_refuses_to_read(
    central: CentralSandbox, connection: Service
) -> None:
    refused = []
    for table in central.tables():
        if table["api"] == "api/v2.0" and table["has_company"]:
            with suppress(ServiceError):
                connection.client.get(f"{table['set_name']}?$top=1")
                continue
            refused.append(table["set_name"])
    known = [name for name in BOUND if any(t["set_name"] == name for t in central.tables())]
    assert sorted(refused) == sorted(known)


def test_set_of_a_custom_api_has_ways_too() -> None:
    parent = EntitySet("orders", parts=(TIME, link("rows", "rowsType", ("id", "orderId"))))
    back = link("order", "ordersType", ("orderId", "id"), many=False)
    child = EntitySet("rows", parts=(prop("orderId", "Edm.Guid"), back))
    assert names("rows", parent, child) == ["orders/rows"]
    assert names("orders", parent, child) == []


def test_company_and_sets_that_are_no_streams_are_no_parents() -> None:
    parent = EntitySet("pdfDocument", parts=(link("rows", "rowsType", ("id", "parentId")),))
    assert names("rows", parent, EntitySet("rows")) == []


def test_parent_with_a_key_of_several_columns_is_no_way() -> None:
    pairs = ("number", "number"), ("kind", "kind")
    parent = EntitySet("orders", ("kind", "number"), (link("rows", "rowsType", *pairs),))
    assert names("rows", parent, EntitySet("rows")) == []


def test_set_that_leads_to_itself_is_no_parent_of_its_own() -> None:
    own = EntitySet("rows", parts=(link("children", "rowsType", ("id", "parentId")),))
    assert names("rows", own) == []


def test_picture_and_its_parent_lead_to_each_other_but_only_one_way_counts() -> None:
    pair = ("id", "id")
    parent = EntitySet("customers", parts=(link("picture", "picturesType", pair, many=False),))
    other = EntitySet("items", parts=(link("picture", "picturesType", pair, many=False),))
    child = EntitySet("pictures", parts=(link("customer", "customersType", pair, many=False),))
    assert names("pictures", parent, other, child) == ["customers/picture", "items/picture"]
    assert names("customers", parent, other, child) == []


def test_way_through_a_bound_set_does_not_begin_where_it_ends() -> None:
    own = EntitySet("orders", parts=(link("lines", "salesOrderLinesType", ("id", "documentId")),))
    child = EntitySet("salesOrderLines", parts=(link("copies", "ordersType", ("id", "lineId")),))
    assert names("orders", own, child) == []


def test_navigation_without_pairs_of_columns_leads_to_several_rows_or_to_a_bound_set() -> None:
    picture = link("picture", "picturesType", many=False)
    lists = link("rows", "rowsType"), link("one", "rowsType", many=False)
    customers = EntitySet("customers", parts=(picture, *lists))
    back = link("customer", "customersType", many=False)
    others = EntitySet("pictures", parts=(back,)), EntitySet("rows", parts=(back,))
    assert names("pictures", customers, *others) == ["customers/picture"]
    assert names("rows", customers, *others) == ["customers/rows"]
    assert names("customers", customers, *others) == []


def test_navigation_by_a_column_that_is_no_key_is_a_lookup() -> None:
    lookup = link("dimension", "dimensionsType", ("dimensionCode", "code"), many=False)
    customers = EntitySet("customers", parts=(prop("dimensionCode"), lookup))
    assert names("dimensions", customers, EntitySet("dimensions", parts=(prop("code"),))) == []


def test_lookup_of_web_services_is_no_way() -> None:
    lookup = link("Job_Link", "JobsType", ("Job_No", "No")).replace("Microsoft.NAV", WEB)
    lines = EntitySet("Job_Lines", ("Line_No",), (prop("Job_No"), lookup))
    assert names("Jobs", lines, EntitySet("Jobs", ("No",)), namespace=WEB) == []


def test_ways_have_two_steps_at_most() -> None:
    first = EntitySet("a", parts=(link("lines", "salesOrderLinesType", ("id", "documentId")),))
    second = EntitySet(
        "salesOrderLines", parts=(link("payments", "customerPaymentsType", ("id", "lineId")),)
    )
    third = EntitySet(
        "customerPayments", parts=(link("sets", "dimensionSetLinesType", ("id", "parentId")),)
    )
    last = EntitySet("dimensionSetLines")
    assert names("dimensionSetLines", first, second, third, last) == []
    assert names("customerPayments", first, second, third, last) == ["a/lines/payments"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ((prop("systemRowVersion", "Edm.Int64"), TIME), "lastModifiedDateTime"),
        ((TIME, prop("systemModifiedAt", "Edm.DateTimeOffset")), "systemModifiedAt"),
        ((prop("systemRowVersion", "Edm.Int64"),), ""),
        ((prop("lastModifiedDateTime", "Edm.Date"),), ""),
        ((), ""),
    ],
)
def test_time_of_a_parent_is_its_best_column_of_that_type(
    columns: tuple[str, ...], expected: str
) -> None:
    parent = EntitySet(
        "orders", ("orderId",), (*columns, link("rows", "rowsType", ("orderId", "orderId")))
    )
    (path,) = paths(tables(parent, EntitySet("rows")), "rows")
    assert (path.id, path.changed_at) == ("orderId", expected)


@dataclass(frozen=True)
class Invented:
    """Sets that lead to each other, and which of them lead to the wanted one from above."""

    entity_sets: list[EntitySet]
    wanted: str
    expected: set[str]


@st.composite
def graphs(draw: st.DrawFn) -> Invented:
    """Invent plain and bound sets, with headers above and lookups beside them."""
    plain = draw(st.lists(st.from_regex(r"p[a-z]{1,4}", fullmatch=True), unique=True, max_size=4))
    bound = draw(st.lists(st.sampled_from(sorted(sets.BOUND)), unique=True, min_size=1, max_size=4))
    wanted = bound[0]
    pairs = [(a, b) for a in (*plain, *bound) for b in bound if a != b]
    down = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    parts: dict[str, list[str]] = {name: [] for name in (*plain, *bound)}
    for number, (above, below) in enumerate(down):
        many = draw(st.booleans())
        name = f"n{number}"
        parts[above].append(link(name, f"{below}Type", ("id", "parentId"), many=many))
        # The way back.
        parts[below].append(link(f"b{number}", f"{above}Type", ("parentId", "id"), many=False))
    steps = {pair: f"n{number}" for number, pair in enumerate(down)}
    expected = set()
    for (above, below), step in steps.items():
        if below != wanted:
            continue
        if above in plain:
            expected.add(f"{above}/{step}")
        else:
            expected |= {
                f"{first}/{steps[first, above]}/{step}"
                for first in plain
                if (first, above) in steps
            }
    entity_sets = [EntitySet(name, parts=tuple(found)) for name, found in parts.items()]
    return Invented(draw(st.permutations(entity_sets)), wanted, expected)


@given(graphs())
def test_ways_lead_from_every_plain_set_above_and_from_no_other(invented: Invented) -> None:
    found_names = names(invented.wanted, *invented.entity_sets)
    assert len(found_names) == len({*found_names})
    assert {*found_names} == invented.expected


def test_ways_in_the_document_of_a_real_environment() -> None:
    path = DOCUMENTS / "business-central-v2.xml.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    real = read([gzip.decompress(path.read_bytes())], is_named_by_set=True, has_navigations=True)
    by_set = {name: [each.name for each in paths(real, name)] for name in BOUND}
    assert all(by_set.values())
    assert by_set["journalLines"] == ["journals/journalLines"]
    assert by_set["customerPayments"] == ["customerPaymentJournals/customerPayments"]
    assert by_set["vendorPayments"] == ["vendorPaymentJournals/vendorPayments"]
    assert by_set["timeRegistrationEntries"] == ["employees/timeRegistrationEntries"]
    assert by_set["contactsInformation"] == [
        "customers/contactsInformation",
        "contacts/contactInformation",
        "vendors/contactsInformation",
    ]
    assert len(by_set["pictures"]) == 5
    assert len(by_set["dimensionSetLines"]) == 23
    assert "salesShipmentLines/dimensionSetLines" in by_set["dimensionSetLines"]
    assert "journals/journalLines/dimensionSetLines" in by_set["dimensionSetLines"]
