"""CSDL documents of real environments, served with invented rows."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from sandbox.finance_client import running
from sandbox.finance_operations import csdl, document, organisation
from sandbox.finance_operations.csdl import shown
from tests.sandbox.api import Api

DOCUMENTS = Path(__file__).parents[4] / "shared" / "csdl"
NAMES = ("finance-operations-300-rebuilt", "finance-operations-cut")
REACHED = {"usmf", "ussi", "demf", "dat"}


def path_of(name: str) -> Path:
    """The path of a document; the test is skipped if it is not there."""
    path = DOCUMENTS / f"{name}.xml.gz"
    if not path.exists():
        pytest.skip("the document is not on this machine")
    return path


@pytest.mark.parametrize("name", NAMES)
def test_real_document_is_served_with_rows_of_every_set(name: str) -> None:
    path = path_of(name)
    model = csdl.read(path)
    with running(rows=len(model.tables) * 6, csdl=path) as sandbox:
        api = Api(sandbox)
        assert api.get("$metadata").content == gzip.decompress(path.read_bytes())
        for table in model.tables:
            order = f"&$orderby={','.join(table.key)}" if table.key else ""
            rows = api.read(f"{table.set_name}?cross-company=true{order}")["value"]
            assert rows
            names = ["@odata.etag", *(column.property_name for column in shown(table))]
            assert all(list(row) == names for row in rows)
            assert {row["dataAreaId"] for row in rows if "dataAreaId" in row} <= REACHED
        if "Companies" in model.by_set:
            assert len(api.read("Companies")["value"]) == 5


def test_whole_document_is_read() -> None:
    model = csdl.read(path_of("finance-operations-whole-rebuilt"))
    assert len(model.tables) == 3_868
    assert sum(not table.key for table in model.tables) == 7
    assert model.by_set["AllProducts"].schema_name == "EveryProduct"
    assert len(shown(model.by_set["CustomersV3"])) == 305
    keys = Counter(len(table.key) for table in model.tables)
    assert (keys[1], keys[2], max(keys)) == (580, 1_496, 20)


def test_own_document_has_the_oddities_of_real_ones() -> None:
    model = organisation.model()
    by_type = {table.schema_name: table.set_name for table in model.tables}
    swapped = [name for name in model.by_set if name in by_type and by_type[name] != name]
    assert len(swapped) == 2
    assert by_type["EveryProduct"] == "AllProducts"
    assert [table.name for table in model.tables if not table.key] == ["Certifications"]
    key_types = {
        table.by_property[name].edm_type.removeprefix("Edm.")
        for table in model.tables
        for name in table.key
    }
    assert {"String", "Guid", "Int64", "Int32", "Decimal", "Boolean", "DateTimeOffset"} <= key_types
    assert max(len(table.key) for table in model.tables) == 20
    assert max(len(shown(table)) for table in model.tables) > 250
    assert sum("SysModifiedDateTime" in table.by_property for table in model.tables) >= 3
    assert sum("SysRowVersion" in table.by_property for table in model.tables) == 1


def test_own_document_has_the_facets_and_annotations_of_real_ones() -> None:
    text = (organisation.model().document or b"").decode()
    assert '<Property Name="dataAreaId" Type="Edm.String" Nullable="false">' in text
    assert '<Property Name="OrganizationName" Type="Edm.String">' in text
    assert '<Property Name="CreditLimit" Type="Edm.Decimal" Nullable="false">' in text
    namespace = "Microsoft.Dynamics.DataEntities"
    assert f'<Property Name="PartyType" Type="{namespace}.DirPartyBaseType">' in text
    assert f'<Property Name="AccountType" Type="{namespace}.LedgerJournalACType">' in text
    assert '<Property Name="ImageContainer" Type="Edm.Binary">' in text
    term = "Microsoft.Dynamics.OData.Core.V1.AXType"
    for name in ("Date", "UtcDateTime", "Time", "Enum", "Container", "Real"):
        assert f"<EnumMember>{term}/{name}</EnumMember>" in text
    assert "MaxLength" not in text
    assert '<EntityContainer Name="Resources">' in text
    assert "edmx:Reference" not in text


def test_set_is_removed_from_a_document_in_either_form() -> None:
    text = (
        b'<EntityContainer>\n  <EntitySet Name="A" EntityType="N.A" />\n  <EntitySet Name="AB" '
        b'EntityType="N.AB">\n  </EntitySet>\n  <EntitySet Name="C" EntityType="N.C" />'
    )
    assert b'"AB"' in document.without(text, "A")
    assert b'Name="A"' not in document.without(text, "A")
    assert document.without(text, "AB").count(b"EntitySet ") == 2
    assert b"</EntitySet>" not in document.without(text, "AB")
