"""CSDL parser: navigation properties, which are read only for services that need them."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from tap_dynamics365.odata.csdl import read
from tap_dynamics365.odata.edm import Navigation, Table
from tests.odata.test_csdl import KEY, edmx, schema, sets

NAMES = st.from_regex(r"[^\W\d]\w{0,6}", fullmatch=True)
PAIRS = st.lists(st.tuples(NAMES, NAMES), max_size=2)


def navigations(body: str, *, has_navigations: bool = True, alias: str = "a") -> list[Table]:
    """Read the tables of a schema with these declarations."""
    data = edmx(schema(body, alias=alias)).encode()
    return read([data], is_named_by_set=True, has_navigations=has_navigations)


HEADER = (
    f'<EntityType Name="header">{KEY}'
    '<NavigationProperty Name="lines" Type="Collection(N.S.line)" Partner="header" '
    'ContainsTarget="true"><ReferentialConstraint Property="id" ReferencedProperty="documentId"/>'
    '<Annotation Term="Org.OData.Core.V1.Description" String="not of the type"/>'
    "</NavigationProperty></EntityType>"
)
LINE = (
    f'<EntityType Name="line">{KEY}<Property Name="documentId" Type="Edm.Guid"/>'
    '<NavigationProperty Name="header" Type="a.header">'
    '<ReferentialConstraint Property="documentId" ReferencedProperty="id"/></NavigationProperty>'
    '<NavigationProperty Name="other" Type="N.S.header" Nullable="false"/></EntityType>'
)
BOTH = HEADER + LINE + sets(headers="N.S.header", lines="a.line")


def test_navigation_property_has_its_target_and_its_pairs_of_columns() -> None:
    header, line = navigations(BOTH)
    assert header.navigations == (
        Navigation("lines", "N.S.line", is_collection=True, pairs=(("id", "documentId"),)),
    )
    assert line.navigations == (
        Navigation("header", "N.S.header", pairs=(("documentId", "id"),)),
        Navigation("other", "N.S.header"),
    )
    assert (header.namespace, line.namespace) == ("N.S", "N.S")
    assert header.description is None


def test_navigation_property_of_a_base_type_is_one_of_the_type() -> None:
    derived = '<EntityType Name="invoice" BaseType="N.S.header"/>'
    (found,) = navigations(derived + HEADER + LINE + sets(invoices="N.S.invoice"))
    assert [each.name for each in found.navigations] == ["lines"]


def test_navigation_property_in_a_complex_type_is_left_out() -> None:
    complex_type = (
        '<ComplexType Name="address"><NavigationProperty Name="land" Type="N.S.header"/>'
        "</ComplexType>"
    )
    header, _ = navigations(complex_type + BOTH)
    assert [each.name for each in header.navigations] == ["lines"]


def test_navigation_properties_are_not_read_without_need() -> None:
    read_with, read_without = navigations(BOTH), navigations(BOTH, has_navigations=False)
    assert all(table.navigations == () for table in read_without)
    assert all(table.namespace == "" for table in read_without)
    assert read_without == [
        structs.replace(table, navigations=(), namespace="") for table in read_with
    ]


@dataclass(frozen=True)
class Invented:
    """The document of a type with navigation properties, and what they are."""

    body: str
    expected: tuple[Navigation, ...]


@st.composite
def documents(draw: st.DrawFn) -> Invented:
    """Invent navigation properties, written in any way that the standard allows."""
    names = draw(st.lists(NAMES, max_size=5, unique=True))
    expected, texts = [], []
    for name in names:
        is_collection = draw(st.booleans())
        pairs = tuple(draw(PAIRS))
        target = draw(st.sampled_from(["x", "y"]))
        written = draw(st.sampled_from(["N.S", "a"])) + f".{target}"
        expected.append(Navigation(name, f"N.S.{target}", is_collection, pairs))
        inner = "".join(
            f"<ReferentialConstraint Property={quoteattr(own)} "
            f"ReferencedProperty={quoteattr(other)}/>"
            for own, other in pairs
        )
        kind = f"Collection({written})" if is_collection else written
        facets = draw(st.sampled_from(["", ' Nullable="false"', ' ContainsTarget="true"']))
        open_tag = f'<NavigationProperty Name={quoteattr(name)} Type="{kind}"{facets}'
        texts.append(f"{open_tag}>{inner}</NavigationProperty>" if inner else f"{open_tag}/>")
    columns = "".join(f'<Property Name="c{number}"/>' for number in range(len(names)))
    split = draw(st.integers(0, len(texts)))
    x = f'<EntityType Name="x">{KEY}{"".join(texts[:split])}{columns}{"".join(texts[split:])}'
    y = f'<EntityType Name="y">{KEY}</EntityType>'
    return Invented(f"{x}</EntityType>{y}{sets(xs='N.S.x')}", tuple(expected))


@given(documents())
def test_invented_navigation_properties_are_read_as_declared(invented: Invented) -> None:
    (table,) = navigations(invented.body)
    assert table.navigations == invented.expected
    assert table.key == ("id",)
