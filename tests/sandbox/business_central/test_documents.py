"""CSDL documents of real environments, served with invented rows."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from sandbox.business_central import csdl, organisation
from sandbox.business_central.parents import RULES
from sandbox.central_client import running
from tests.sandbox.api import Api

DOCUMENTS = Path(__file__).parents[4] / "shared" / "csdl"


def path_of(name: str) -> Path:
    """The path of a document; the test is skipped if it is not there."""
    path = DOCUMENTS / f"business-central-{name}.xml.gz"
    if not path.exists():
        pytest.skip("the document is not on this machine")
    return path


@pytest.mark.parametrize(("name", "route"), [("v2", "api/v2.0"), ("odatav4", "ODataV4")])
def test_real_document_is_served_with_rows_of_every_set(name: str, route: str) -> None:
    path = path_of(name)
    api_of_document = csdl.read(path)
    with running(rows=len(api_of_document.sets) * 5, csdl=path) as sandbox:
        api, root = Api(sandbox), sandbox.api_url(route)
        assert api.get(f"{root}$metadata").content == gzip.decompress(path.read_bytes())
        for set_name, shape in api_of_document.sets.items():
            response = api.get(f"{root}{set_name}")
            if set_name in RULES:
                assert response.json()["error"]["code"] == "Application_DialogException"
                continue
            rows = response.json()["value"]
            assert rows or not shape.has_company
            streams = {c.property_name for c in shape.shown if c.edm_type == "Edm.Stream"}
            names = {column.property_name for column in shape.shown} - streams
            for row in rows:
                plain = {key for key in row if "@" not in key}
                assert plain == names


def test_navigation_properties_of_a_real_document_are_expanded() -> None:
    path = path_of("v2")
    found = csdl.read(path)
    with running(rows=len(found.sets) * 5, csdl=path) as sandbox:
        api = Api(sandbox)
        for set_name in found.sets.keys() - RULES.keys() - {"companies"}:
            names = found.sets[set_name].navigations.keys()
            for name in names:
                for row in api.read(f"{set_name}?$top=1&$expand={name}")["value"]:
                    assert name in row
        (payment,) = api.read("vendorPayments?$filter=journalId ne null&$top=1")["value"]
        (whole,) = api.read(
            f"vendorPayments?$filter=id eq {payment['id']}&$expand=applyVendorEntries"
        )["value"]
        below = api.read(f"vendorPayments({payment['id']})/applyVendorEntries")["value"]
        assert whole["applyVendorEntries"] == below


def test_real_document_has_the_shapes_that_the_sandbox_relies_on() -> None:
    api = csdl.read(path_of("v2"))
    assert len(api.sets) == 87
    assert sum(shape.has_company for shape in api.sets.values()) == 81
    unsorted = {name for name, shape in api.sets.items() if not shape.is_sortable}
    assert unsorted == {
        "subscriptions",
        "externaleventsubscriptions",
        "apicategoryroutes",
        "customerSales",
        "vendorPurchases",
    }
    assert RULES.keys() <= api.sets.keys()
    assert len(csdl.read(path_of("odatav4")).sets) == 83


def test_own_sets_have_the_names_types_and_keys_of_real_ones() -> None:
    real = csdl.read(path_of("v2"))
    for name, shape in organisation.model().apis[0].sets.items():
        other = real.sets[name]
        assert (shape.table.schema_name, shape.key) == (other.table.schema_name, other.key)
        assert shape.has_company == other.has_company
        assert shape.is_sortable == other.is_sortable
        known = {column.property_name for column in other.table.columns}
        assert {column.property_name for column in shape.table.columns} <= known, name
