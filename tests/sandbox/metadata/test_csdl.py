"""CSDL documents as input: real ones where they are available, and a small one."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from sandbox.client import running
from tests.sandbox.api import Api

DOCUMENTS = Path(__file__).parents[4] / "shared" / "csdl"
SMALL = """<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="Shop" xmlns="http://docs.oasis-open.org/odata/ns/edm">
  <EnumType Name="size">
    <Member Name="Small" Value="0" /><Member Name="_x0020_" Value="1" /></EnumType>
  <ComplexType Name="place"><Property Name="street" Type="Edm.String" />
    <Property Name="open" Type="Edm.Boolean" /><Property Name="size" Type="Shop.size" />
  </ComplexType>
  <EntityType Name="line">
    <Key><PropertyRef Name="company" /><PropertyRef Name="number" /></Key>
    <Property Name="company" Type="Edm.String" Nullable="false" />
    <Property Name="number" Type="Edm.Int32" Nullable="false" />
    <Property Name="size" Type="Shop.size" /><Property Name="at" Type="Shop.place" />
    <Property Name="places" Type="Collection(Shop.place)" />
    <Property Name="tags" Type="Collection(Edm.String)" />
    <Property Name="photo" Type="Edm.Stream" />
    <Property Name="time" Type="Edm.TimeOfDay" /><Property Name="long" Type="Edm.Duration" />
    <Property Name="price" Type="Edm.Decimal" /><Property Name="ratio" Type="Edm.Double" />
    <Property Name="lastModifiedDateTime" Type="Edm.DateTimeOffset" />
  </EntityType>
  <EntityContainer Name="Shops"><EntitySet Name="lines" EntityType="Shop.line" /></EntityContainer>
</Schema></edmx:DataServices></edmx:Edmx>"""


@pytest.mark.parametrize(
    ("name", "sets"),
    [("dataverse-v9", 327), ("dataverse-v8.2-annotated-german", 248), ("business-central-v2", 87)],
)
def test_real_document_is_served_with_rows(name: str, sets: int) -> None:
    path = DOCUMENTS / f"{name}.xml.gz"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    with running(rows=sets * 4, csdl=path) as sandbox:
        api = Api(sandbox)
        document = gzip.decompress(path.read_bytes())
        served = api.get("$metadata").content
        assert served.removeprefix(b"\xef\xbb\xbf") == document.removeprefix(b"\xef\xbb\xbf")
        tables = sandbox.tables()
        assert len(tables) == sets
        for table in tables:
            answer = api.read(table["set_name"], Prefer="odata.maxpagesize=2")
            assert len(answer["value"]) == 2
            assert "@odata.nextLink" in answer
            kinds = table["columns"]
            kept = {column for column, kind in kinds.items() if kind != "Edm.Stream"}
            for row in answer["value"]:
                assert {column for column in row if "@" not in column} == kept
                assert all(row[part] is not None for part in table["key"])
                for column in kept:
                    _check(kinds[column], row[column])


def _check(kind: str, value: object) -> None:
    if value is None:
        return
    if kind == "Edm.Boolean":
        assert isinstance(value, bool)
    elif kind in {"Edm.Int16", "Edm.Int32", "Edm.Int64", "Edm.Byte"}:
        assert type(value) is int
    elif kind.startswith("Collection("):
        assert isinstance(value, list)
    elif kind in {"Edm.String", "Edm.Guid", "Edm.Date", "Edm.DateTimeOffset", "Edm.Binary"}:
        assert isinstance(value, str)


def test_document_with_composite_keys_and_complex_types_is_served(tmp_path: Path) -> None:
    path = tmp_path / "shop.xml"
    path.write_text(SMALL)
    with running(rows=25, csdl=path) as sandbox:
        api = Api(sandbox)
        pages = api.pages("lines", 4)
        keys = [(row["company"], row["number"]) for page in pages for row in page]
        assert len(keys) == len(set(keys)) == 25
        assert keys == sorted(keys)
        assert len({company for company, _ in keys}) < 25
        rows = [row for page in pages for row in page]
        assert "photo" not in rows[0]
        place = next(row["at"] for row in rows if row["at"])
        assert set(place) == {"street", "open", "size"}
        assert isinstance(place["open"], bool)
        assert {row["size"] for row in rows} == {"Small", "_x0020_", None}
        assert all(isinstance(row["tags"], list | None) for row in rows)
        assert all(row["lastModifiedDateTime"].endswith(".125Z") for row in rows)
        company, number = keys[7]
        row = api.read(f"lines(company='{company}',number={number})")
        assert (row["company"], row["number"]) == keys[7]
        late = rows[-1]["lastModifiedDateTime"]
        found = api.rows(f"lines?$filter=lastModifiedDateTime ge {late}")
        assert len(found) == sum(row["lastModifiedDateTime"] >= late for row in rows)
        assert api.rows("lines?$filter=size eq 'Small'")
        sandbox.update("line", f"{company},{number}", {"at": {"street": "Ü"}})
        assert api.read(f"lines('{company}',{number})")["at"] == {"street": "Ü"}
