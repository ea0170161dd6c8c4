"""CSDL parser with whole documents: real ones, generated ones, and invalid ones."""

from __future__ import annotations

import gzip
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from tap_dynamics365.errors import MetadataError
from tap_dynamics365.odata.csdl import read
from tap_dynamics365.odata.edm import (
    Collection,
    Column,
    Complex,
    EdmType,
    Enumeration,
    Primitive,
    Table,
)
from tap_dynamics365.services.dataverse.kind import METADATA_SETS

if TYPE_CHECKING:
    from collections.abc import Iterator

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
# Of the organisations that published them; they do not go into the project.
DOCUMENTS = Path(__file__).resolve().parents[3] / "shared" / "csdl"
DESCRIBING = {
    "EntityDefinitions",
    "GlobalOptionSetDefinitions",
    "ManagedPropertyDefinitions",
    "RelationshipDefinitions",
}


def document(name: str) -> bytes:
    """Read a real document, or skip."""
    path = DOCUMENTS / f"{name}.xml.gz"
    if not path.exists():
        pytest.skip("the real CSDL documents are not here")
    return gzip.decompress(path.read_bytes())


def line(types: dict[str, ET.Element], name: str | None) -> Iterator[ET.Element]:
    """Yield a type and its ancestors, the eldest last."""
    while name:
        kind = types[name.rpartition(".")[2]]
        yield kind
        name = kind.get("BaseType")


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("dataverse-v9", 327),
        ("dataverse-v8.2-annotated-german", 248),
        ("business-central-v2", 87),
    ],
)
def test_real_document_gives_each_table_with_all_columns_and_its_key(name: str, count: int) -> None:
    data = document(name)
    tree = ET.fromstring(data)  # noqa: S314 - a document that we know
    types = {kind.get("Name", ""): kind for kind in tree.iter(f"{EDM}EntityType")}
    found = {table.entity_set: table for table in read([data], METADATA_SETS)}
    assert len(found) == count
    assert len({table.name for table in found.values()}) == count
    sets = [s for s in tree.iter(f"{EDM}EntitySet") if s.get("Name") not in DESCRIBING]
    assert [s.get("Name") for s in sets] == list(found)
    for entity_set in sets:
        kinds = list(line(types, entity_set.get("EntityType")))
        table = found[entity_set.get("Name", "")]
        names = [p.get("Name") for kind in reversed(kinds) for p in kind.findall(f"{EDM}Property")]
        keys = [[ref.get("Name") for ref in kind.iter(f"{EDM}PropertyRef")] for kind in kinds]
        assert table.name == kinds[0].get("Name")
        assert [column.name for column in table.columns] == list(dict.fromkeys(names))
        assert list(table.key) == next(filter(None, keys), [])


@pytest.mark.parametrize("name", ["dataverse-v9", "dataverse-v8.2-annotated-german"])
def test_tables_of_dataverse_that_inherit_are_complete(name: str) -> None:
    found = {table.name: table for table in read([document(name)], METADATA_SETS)}
    activities = ["email", "task", "phonecall", "appointment"]
    for table in map(found.__getitem__, activities):
        assert table.key == ("activityid",)
        assert {"activityid", "subject", "modifiedon"} <= {c.name for c in table.columns}
    for table in (found["systemuser"], found["team"]):
        assert table.key == ("ownerid",)
        assert {"ownerid", f"{table.name}id", "modifiedon"} <= {c.name for c in table.columns}


def test_real_document_gives_descriptions_in_its_own_language() -> None:
    found = {
        table.name: table
        for table in read([document("dataverse-v8.2-annotated-german")], METADATA_SETS)
    }
    described = [column.description for column in found["account"].columns]
    assert sum(map(bool, described)) > len(described) / 2
    assert any("ü" in text for text in described if text)


@dataclass(frozen=True)
class Invented:
    """A document, and the tables that it declares."""

    data: bytes
    tables: list[Table]
    cuts: list[int]

    @property
    def pieces(self) -> list[bytes]:
        """The document as it arrives."""
        ends = [*sorted(cut % len(self.data) for cut in self.cuts), len(self.data)]
        return [self.data[a:b] for a, b in zip([0, *ends], ends, strict=False)]


@dataclass
class Structure:
    """An invented entity type or complex type; columns and key are those of its ancestors too."""

    schema: int
    name: str
    columns: dict[str, Column] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    description: str | None = None


NAMES = st.from_regex(r"[^\W\d]\w{0,6}", fullmatch=True)
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), min_size=1, max_size=8
)
PRIMITIVES = ["Edm.Guid", "Edm.String", "Edm.Int64", "Edm.Decimal", "Edm.Stream", "Edm.Unheard"]
SCHEMAS = (("Microsoft.Dynamics.CRM", "mscrm"), ("Two", "two"))
FACT_ANNOTATIONS = (
    ("", ""),
    ('<Annotation Term="Two.Kind" EnumMember="Two.Kind/Date"/>', "A fact."),
    (
        '<Annotation Term="Two.Kind"><EnumMember> Two.Kind/Date </EnumMember></Annotation>',
        "A fact.",
    ),
    ('<Annotation Term="Two.Kind" String="text"/>', "Another fact."),
    ('<Annotation Term="Two.Kind"><EnumMember>Two.Kind/Time</EnumMember></Annotation>', ""),
    ('<Annotation Term="Other.Kind" String="text"/>', ""),
)
FACTS = {"Two.Kind": {"Two.Kind/Date": "A fact.", "text": "Another fact."}}


class Model:
    """Invents a model and writes it as CSDL, each reference by alias or by namespace."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.schemas: list[list[str]] = [[], []]
        self.complex: list[Structure] = []
        self.entities: list[Structure] = []
        names = st.lists(NAMES, min_size=8, max_size=8, unique=True)
        self.names = iter(draw(names))

    def qualified(self, schema: int, name: str) -> str:
        """Refer to a declaration."""
        return f"{self.draw(st.sampled_from(SCHEMAS[schema]))}.{name}"

    def type(self, enumeration: str) -> tuple[str, EdmType]:
        """Choose a type: as it is written, and as it is read."""
        read_as: EdmType
        kind = self.draw(st.sampled_from(["primitive", "enumeration", "definition", "complex"]))
        if kind == "enumeration":
            written = self.qualified(0, enumeration)
            read_as = Enumeration(f"{SCHEMAS[0][0]}.{enumeration}", ("A",))
        elif kind == "definition":
            written, read_as = self.qualified(1, f"{enumeration}_d"), Primitive("Edm.Date")
        elif kind == "complex" and self.complex:
            structure = self.draw(st.sampled_from(self.complex))
            written = self.qualified(structure.schema, structure.name)
            read_as = Complex(tuple(structure.columns.values()))
        else:
            written = self.draw(st.sampled_from(PRIMITIVES))
            read_as = Primitive(written)
        if self.draw(st.booleans()):
            return f"Collection({written})", Collection(read_as)
        return written, read_as

    def describe(self, schema: int, target: str) -> tuple[str | None, str]:
        """Choose a description and a fact, and where the description is written."""
        fact = self.draw(st.sampled_from(FACT_ANNOTATIONS))
        text, inside = self.text(schema, target)
        annotation = fact[0].replace("Two", self.draw(st.sampled_from(SCHEMAS[1])))
        return " ".join(filter(None, [text, fact[1]])) or None, inside + annotation

    def text(self, schema: int, target: str) -> tuple[str | None, str]:
        """Choose a description, and where it is written: inside, or put among the schema's own."""
        text = self.draw(st.none() | TEXTS)
        if text is None:
            return None, ""
        term = self.draw(st.sampled_from(["Org.OData.Core.V1", "Core"])) + ".Description"
        inside = f'<Annotation Term="{term}" String={quoteattr(text)}/>'
        if self.draw(st.booleans()):
            inside = f'<Annotation Term="{term}"><String>{escape(text)}</String></Annotation>'
        if self.draw(st.booleans()):
            return text, inside
        target = self.qualified(schema, target)
        self.schemas[schema].append(f'<Annotations Target="{target}">{inside}</Annotations>')
        return text, ""

    def structure(self, tag: str, earlier: list[Structure], enumeration: str) -> Structure:
        """Declare a type, perhaps with a base among those declared earlier."""
        made = Structure(self.draw(st.sampled_from([0, 1])), next(self.names))
        base = self.draw(st.none() | st.sampled_from(earlier)) if earlier else None
        attributes = f'Name="{made.name}"'
        if base:
            attributes += f' BaseType="{self.qualified(base.schema, base.name)}"'
            made.columns, made.key = dict(base.columns), base.key
        body = ""
        for name in self.draw(st.lists(NAMES, max_size=4, unique=True)):
            if name in made.columns:
                continue
            written, read_as = self.type(enumeration)
            text, inside = self.describe(made.schema, f"{made.name}/{name}")
            made.columns[name] = Column(name, read_as, text)
            body += f'<Property Name="{name}" Type="{written}">{inside}</Property>'
        if tag == "EntityType":
            body += self.key(made)
            made.description, inside = self.describe(made.schema, made.name)
            body += inside
        self.schemas[made.schema].append(f"<{tag} {attributes}>{body}</{tag}>")
        return made

    def key(self, made: Structure) -> str:
        """Declare a key of columns that the type has, or leave it to the base."""
        if not made.columns or not self.draw(st.booleans()):
            return ""
        names = st.lists(st.sampled_from(list(made.columns)), min_size=1, max_size=3, unique=True)
        made.key = tuple(self.draw(names))
        parts = "".join(f'<PropertyRef Name="{name}"/>' for name in made.key)
        return f"<Key>{parts}</Key>"

    def write(self) -> Invented:
        """Invent all of it."""
        enumeration = next(self.names)
        self.schemas[0].append(f'<EnumType Name="{enumeration}"><Member Name="A"/></EnumType>')
        self.schemas[1].append(
            f'<TypeDefinition Name="{enumeration}_d" UnderlyingType="Edm.Date"/>'
        )
        for _ in range(self.draw(st.integers(0, 2))):
            self.complex.append(self.structure("ComplexType", self.complex, enumeration))
        for _ in range(self.draw(st.integers(1, 4))):
            self.entities.append(self.structure("EntityType", self.entities, enumeration))
        tables, sets = [], ""
        for made in self.draw(st.lists(st.sampled_from(self.entities), unique_by=id)):
            name = f"set of {made.name}"
            columns = tuple(made.columns.values())
            table = Table(made.name, name, made.key, columns, made.description)
            tables.append(structs.replace(table, type_name=made.name))
            kind = self.qualified(made.schema, made.name)
            sets += f'<EntitySet Name="{name}" EntityType="{kind}"/>'
        where = self.draw(st.sampled_from(self.schemas))
        where.append(f'<EntityContainer Name="System">{sets}</EntityContainer>')
        encoding = self.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
        cuts = self.draw(st.lists(st.integers(0, 10**6), max_size=6))
        declared = encoding.removesuffix("-sig")
        text = f'<?xml version="1.0" encoding="{declared}"?>' + self.document()
        return Invented(text.encode(encoding), tables, cuts)

    def document(self) -> str:
        """Put the declarations, in any order, into a document."""
        schemas = "".join(
            f'<Schema Namespace="{namespace}" Alias="{alias}" xmlns="{EDM[1:-1]}">'
            f"{''.join(self.draw(st.permutations(declarations)))}</Schema>"
            for (namespace, alias), declarations in zip(SCHEMAS, self.schemas, strict=True)
        )
        return (
            '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
            '<edmx:Reference Uri="u"><edmx:Include Namespace="Org.OData.Core.V1" Alias="Core"/>'
            f"</edmx:Reference><edmx:DataServices>{schemas}</edmx:DataServices></edmx:Edmx>"
        )


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.composite(lambda draw: Model(draw).write())())
def test_generated_document_gives_exactly_its_tables(invented: Invented) -> None:
    assert read(invented.pieces, facts=FACTS) == invented.tables
    by_set = [structs.replace(table, name=table.entity_set) for table in invented.tables]
    assert read(invented.pieces, facts=FACTS, is_named_by_set=True) == by_set


SMALL = (
    f'<Edmx><Schema Namespace="N" Alias="a" xmlns="{EDM[1:-1]}">'
    '<EntityType Name="x" BaseType="a.b">'
    '<Property Name="c" Type="Collection(a.d)"/></EntityType><EntityType Name="b"><Key>'
    '<PropertyRef Name="id"/></Key><Property Name="id" Type="Edm.Guid"/></EntityType>'
    '<ComplexType Name="d"><Property Name="e"/></ComplexType><EntityContainer Name="C">'
    '<EntitySet Name="xs" EntityType="N.x"/></EntityContainer></Schema></Edmx>'
)
WORDS = st.sampled_from(
    ["a.x", "a.b", "a.d", "N.x", "", "/", ".", "<", "<Key>", "Collection(", "Annotation", "&a;"]
)


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """Put something else in the place of pieces of a document."""
    text = SMALL
    for _ in range(draw(st.integers(1, 3))):
        parts = text.split('"')
        place = draw(st.integers(0, len(parts) - 1))
        parts[place] = draw(WORDS | st.text(max_size=3))
        text = '"'.join(parts)
    return text.encode()


@given(st.one_of(st.binary(), mangled()))
@example(SMALL.encode())
@example(SMALL.encode("utf-16"))
def test_bytes_of_any_kind_give_tables_or_a_refusal(data: bytes) -> None:
    try:
        found = read([data])
    except MetadataError:
        return
    assert all(isinstance(table, Table) for table in found)


def test_type_of_endless_depth_is_cut_off() -> None:
    data = SMALL.replace("a.d", "Collection(" * 3000 + "Edm.Guid" + ")" * 3000).encode()
    with suppress(MetadataError):
        assert len(read([data])) == 1
