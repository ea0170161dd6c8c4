"""CSDL parser: every form of metadata document that the standard allows."""

from __future__ import annotations

import pytest

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

TEXT, GUID = Primitive("Edm.String"), Primitive("Edm.Guid")
KEY = '<Key><PropertyRef Name="id"/></Key><Property Name="id" Type="Edm.Guid"/>'
CORE = 'Term="Org.OData.Core.V1.Description"'
NOTE = '<Annotation Term="My.Note"><String>A note</String></Annotation>'


def edmx(*schemas: str, head: str = "") -> str:
    """Put schemas into a document."""
    return (
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
        f"{head}<edmx:DataServices>{''.join(schemas)}</edmx:DataServices></edmx:Edmx>"
    )


def schema(body: str, *, namespace: str = "N.S", alias: str | None = "a") -> str:
    """Put declarations into a schema."""
    alias = f' Alias="{alias}"' if alias else ""
    xmlns = "http://docs.oasis-open.org/odata/ns/edm"
    return f'<Schema Namespace="{namespace}"{alias} xmlns="{xmlns}">{body}</Schema>'


def sets(**types: str) -> str:
    """Declare the container with its entity sets."""
    items = (f'<EntitySet Name="{name}" EntityType="{kind}"/>' for name, kind in types.items())
    return f'<EntityContainer Name="System">{"".join(items)}</EntityContainer>'


def tables(document: str | bytes) -> dict[str, Table]:
    """Read a document whole."""
    data = document.encode() if isinstance(document, str) else document
    return {table.name: table for table in read([data], METADATA_SETS)}


def only(body: str, **more: str) -> Table:
    """Read the one table, named x, of a schema with these declarations."""
    (table,) = read([edmx(schema(body + sets(xs="N.S.x")), **more).encode()])
    return table


def refusal(document: str | bytes) -> str:
    """Tell why a document is refused."""
    with pytest.raises(MetadataError) as caught:
        tables(document)
    return caught.value.message


def columns(table: Table) -> dict[str, EdmType]:
    """Tell the types of a table's columns."""
    return {column.name: column.type for column in table.columns}


INHERITING = (
    '<EntityType Name="base" Abstract="true"/>'
    '<EntityType Name="pointer" BaseType="a.base" Abstract="true">'
    '<Key><PropertyRef Name="activityid"/></Key><Property Name="activityid" Type="Edm.Guid"/>'
    '<Property Name="subject" Type="Edm.String"/></EntityType>'
    '<EntityType Name="email" BaseType="{pointer}">{key}<Property Name="token"/></EntityType>'
)


@pytest.mark.parametrize("pointer", ["a.pointer", "N.S.pointer"])
@pytest.mark.parametrize("key", ["", '<Key><PropertyRef Name="activityid"/></Key>'])
def test_derived_type_inherits_columns_and_key(pointer: str, key: str) -> None:
    body = INHERITING.format(pointer=pointer, key=key)
    (email,) = read([edmx(schema(body + sets(emails="N.S.email"))).encode()])
    assert columns(email) == {"activityid": GUID, "subject": TEXT, "token": TEXT}
    assert email.key == ("activityid",)


def test_key_declared_twice_is_the_one_nearest_to_the_type() -> None:
    key = '<Key><PropertyRef Name="token"/><PropertyRef Name="subject"/></Key>'
    body = INHERITING.format(pointer="a.pointer", key=key) + sets(emails="a.email")
    assert tables(edmx(schema(body)))["email"].key == ("token", "subject")


def test_abstract_type_with_a_set_is_a_table() -> None:
    body = INHERITING.format(pointer="a.pointer", key="") + sets(activitypointers="a.pointer")
    found = tables(edmx(schema(body)))
    assert list(found) == ["pointer"]
    assert found["pointer"].entity_set == "activitypointers"
    assert columns(found["pointer"]) == {"activityid": GUID, "subject": TEXT}


def test_base_type_after_its_derived_types_is_found() -> None:
    table = only(f'<EntityType Name="x" BaseType="a.b"/><EntityType Name="b">{KEY}</EntityType>')
    assert (table.key, columns(table)) == (("id",), {"id": GUID})


@pytest.mark.parametrize("base", ["b.base", "Other.Place.base"])
def test_schemas_refer_to_each_other_by_alias_and_namespace(base: str) -> None:
    document = edmx(
        schema(f'<EntityType Name="x" BaseType="{base}"/>' + sets(xs="a.x")),
        schema(f'<EntityType Name="base">{KEY}</EntityType>', namespace="Other.Place", alias="b"),
    )
    expected = Table("x", "xs", ("id",), (Column("id", GUID),), type_name="x")
    assert tables(document) == {"x": expected}


def test_types_of_the_same_name_in_two_schemas_are_two_tables() -> None:
    document = edmx(
        schema(f'<EntityType Name="x">{KEY}</EntityType>' + sets(xs="N.S.x", others="M.x")),
        schema('<EntityType Name="x"><Property Name="y"/></EntityType>', namespace="M", alias=None),
    )
    assert {n: [*columns(t)] for n, t in tables(document).items()} == {"x": ["id"], "others": ["y"]}


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1"]
)
def test_encoding_is_taken_from_the_document(encoding: str) -> None:
    declared = {"utf-8-sig": "utf-8", "utf-16-le": "utf-16", "utf-16-be": "utf-16"}.get(encoding)
    document = f'<?xml version="1.0" encoding="{declared or encoding}"?>' + edmx(
        schema(f'<EntityType Name="größe">{KEY}</EntityType>' + sets(größen="a.größe"))
    )
    if encoding in {"utf-16-le", "utf-16-be"}:
        document = f"\ufeff{document}"
    (table,) = read([document.encode(encoding)])
    assert (table.name, table.entity_set) == ("größe", "größen")


@pytest.mark.parametrize("encoding", ["no-such-thing", "utf-7", "shift_jis", "hex"])
def test_encoding_that_is_unknown_is_refused_with_a_message(encoding: str) -> None:
    document = f'<?xml version="1.0" encoding="{encoding}"?>' + edmx(schema(""))
    assert "$metadata" in refusal(document)


MEMBER = '<Member Name="m"/>'
TYPES = (
    '<EnumType Name="state"><Member Name="Open" Value="0"/></EnumType>'
    f'<EnumType Name="many">{MEMBER * 7}</EnumType>'
    '<TypeDefinition Name="money" UnderlyingType="Edm.Decimal"/>'
    '<ComplexType Name="place"><Property Name="city" Type="Edm.String"/>'
    '<Property Name="at" Type="a.point"/></ComplexType>'
    '<ComplexType Name="point"><Property Name="x" Type="Edm.Double"/></ComplexType>'
    '<ComplexType Name="point3" BaseType="a.point"><Property Name="z"/></ComplexType>'
    '<ComplexType Name="tree"><Property Name="twigs" Type="Collection(a.tree)"/>'
    '<Property Name="leaf" Type="a.leaf"/></ComplexType>'
    '<ComplexType Name="leaf"><Property Name="tree" Type="N.S.tree"/></ComplexType>'
)
X = Column("x", Primitive("Edm.Double"))
STATE = Enumeration("N.S.state", ("Open",))


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("Edm.Int64", Primitive("Edm.Int64")),
        ("Edm.Stream", Primitive("Edm.Stream")),
        ("Edm.GeographyPoint", Primitive("Edm.GeographyPoint")),
        ("a.state", STATE),
        ("N.S.state", STATE),
        ("a.many", Enumeration("N.S.many")),
        ("a.money", Primitive("Edm.Decimal")),
        ("a.point", Complex((X,))),
        ("a.point3", Complex((X, Column("z", TEXT)))),
        ("a.place", Complex((Column("city", TEXT), Column("at", Complex((X,)))))),
        ("Collection(Edm.Guid)", Collection(GUID)),
        ("Collection(a.state)", Collection(STATE)),
        ("Collection(N.S.point)", Collection(Complex((X,)))),
        (
            "a.tree",
            Complex(
                (
                    Column("twigs", Collection(Complex(()))),
                    Column("leaf", Complex((Column("tree", Complex(())),))),
                )
            ),
        ),
    ],
)
def test_types_of_each_kind_are_known(declared: str, expected: EdmType) -> None:
    prop = f'<Property Name="c" Type="{declared}"/>'
    table = only(f'{TYPES}<EntityType Name="x">{KEY}{prop}</EntityType>')
    assert columns(table) == {"id": GUID, "c": expected}


def test_decimal_places_are_known_where_they_are_declared() -> None:
    found = only(
        '<EntityType Name="base"><Property Name="a" Type="Edm.Decimal" Scale="4"/></EntityType>'
        '<EntityType Name="x" BaseType="a.base">'
        '<Property Name="b" Type="Edm.Decimal" Scale="Variable"/>'
        '<Property Name="c" Type="Edm.Decimal"/></EntityType>'
    )
    assert {column.name: column.scale for column in found.columns} == {"a": 4, "b": None, "c": None}


def described(annotation: str) -> Table:
    """Read a table with annotations, one of them in place of its column c."""
    return only(
        f'<EntityType Name="x">{KEY}<Property Name="c">{annotation}</Property>'
        f'<NavigationProperty Name="n" Type="a.x"><Annotation {CORE} String="wrong"/>'
        '<ReferentialConstraint Property="c" ReferencedProperty="id">'
        f'<Annotation {CORE} String="wrong"/></ReferentialConstraint></NavigationProperty>'
        f'<Annotation {CORE} String="A table"/></EntityType>'
        f'<Action Name="x"><Parameter Name="c" Type="Edm.String"><Annotation {CORE} '
        'String="wrong"/></Parameter></Action>',
        head='<edmx:Reference Uri="u"><edmx:Include Namespace="Org.OData.Core.V1" Alias="Core"/>'
        "</edmx:Reference>",
    )


@pytest.mark.parametrize(
    ("annotation", "description"),
    [
        ("", None),
        (f'<Annotation {CORE} String="A &lt;column&gt;"/>', "A <column>"),
        ('<Annotation Term="Core.Description" String="A column"/>', "A column"),
        (f"<Annotation {CORE}><String>A &amp; <![CDATA[<B>]]></String></Annotation>", "A & <B>"),
        (f"<Annotation {CORE}>\n  <String>A column</String>\n</Annotation>", "A column"),
        ('<Annotation Term="Org.OData.Core.V1.Computed" Bool="true"/>', None),
        ('<Annotation Term="Core.LongDescription" String="Long"/>', None),
        ('<Annotation Term="My.Description" String="Mine"/>', None),
        (
            f"<Annotation {CORE}><String>A column</String>{NOTE}</Annotation>",
            "A column",
        ),
        (
            f'<Annotation Term="My.Note"><Annotation {CORE} String="wrong"/></Annotation>',
            None,
        ),
    ],
)
def test_column_description_comes_from_its_own_annotation_only(
    annotation: str, description: str | None
) -> None:
    table = described(annotation)
    assert {c.name: c.description for c in table.columns} == {"id": None, "c": description}
    assert table.description == "A table"


@pytest.mark.parametrize("target", ["N.S.x", "a.x"])
@pytest.mark.parametrize("first", [True, False])
def test_annotations_outside_their_element_are_read(target: str, *, first: bool) -> None:
    annotations = (
        f'<Annotations Target="{target}"><Annotation {CORE} String="A table"/></Annotations>'
        f'<Annotations Target="{target}/id"><Annotation {CORE}><String>Its id</String>'
        "</Annotation></Annotations>"
        f'<Annotations Target="a.System/xs"><Annotation {CORE} String="A set"/></Annotations>'
    )
    entity = f'<EntityType Name="x">{KEY}</EntityType>'
    table = only(annotations + entity if first else entity + annotations)
    assert table.description == "A table"
    assert table.columns == (Column("id", GUID, "Its id"),)


def test_annotations_with_the_alias_of_a_later_schema_are_read() -> None:
    document = edmx(
        schema(
            f'<Annotations Target="b.x/id"><Annotation {CORE} String="Its id"/></Annotations>',
            namespace="Notes",
        ),
        schema(f'<EntityType Name="x">{KEY}</EntityType>' + sets(xs="b.x"), alias="b"),
    )
    assert tables(document)["x"].columns == (Column("id", GUID, "Its id"),)


def test_sets_that_describe_tables_are_not_tables() -> None:
    body = f'<EntityType Name="x">{KEY}</EntityType>' + sets(
        EntityDefinitions="a.x",
        GlobalOptionSetDefinitions="a.x",
        ManagedPropertyDefinitions="a.x",
        RelationshipDefinitions="a.x",
        entityDefinitions="a.x",
    )
    assert [table.entity_set for table in read([edmx(schema(body)).encode()], METADATA_SETS)] == [
        "entityDefinitions"
    ]


@pytest.mark.parametrize("names", [("xs", "ys"), ("ys", "x"), ("x", "ys")])
def test_sets_of_the_same_type_are_two_tables(names: tuple[str, str]) -> None:
    body = f'<EntityType Name="x">{KEY}</EntityType>' + sets(**dict.fromkeys(names, "a.x"))
    found = read([edmx(schema(body)).encode()])
    assert [table.entity_set for table in found] == list(names)
    assert len({table.name for table in found}) == 2


def test_key_with_a_path_into_another_type_is_no_key() -> None:
    table = only(
        '<EntityType Name="x"><Key><PropertyRef Name="place/city" Alias="city"/></Key>'
        '<Property Name="place" Type="Edm.String"/></EntityType>'
    )
    assert table.key == ()


@pytest.mark.parametrize("name", ["select", "type", "class", "größe", "年", "_x_value", "Name"])
def test_names_with_unusual_characters_are_kept(name: str) -> None:
    table = only(f'<EntityType Name="x">{KEY}<Property Name="{name}"/></EntityType>')
    assert columns(table)[name] == TEXT


WHOLE = edmx(schema(f'<EntityType Name="x">{KEY}</EntityType>' + sets(xs="a.x"))).encode()
BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize(
    "document",
    [
        "",
        "  ",
        "plain words",
        '{"value":[]}',
        "<html><body>Sign in</body></html>",
        "<html><body>Sign in<br></body></html>",
        edmx(),
        WHOLE[:-1],
        WHOLE + b"<more/>",
        BOMB + edmx(schema("")),
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        edmx(schema(sets(xs="a.x"))),
        edmx(schema(sets(xs=""))),
        edmx(schema('<EntityType Name="x" BaseType="a.missing"/>' + sets(xs="a.x"))),
        edmx(schema('<EntityType Name="x" BaseType="a.x"/>' + sets(xs="a.x"))),
        edmx(
            schema(
                '<EntityType Name="x" BaseType="a.y"/><EntityType Name="y" BaseType="a.x"/>'
                + sets(xs="a.x")
            )
        ),
    ],
    ids=lambda document: str(document[:40]),
)
def test_document_that_is_not_valid_is_refused_with_a_message(document: str | bytes) -> None:
    message = refusal(document)
    assert "$metadata" in message
    assert "passwd" not in message
    assert len(message) < 500


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_document_in_pieces_of_any_size_gives_the_same_tables(size: int) -> None:
    body = f'<EntityType Name="größe">{KEY}</EntityType>' + sets(größen="a.größe")
    document = f"\ufeff{edmx(schema(body))}".encode()
    pieces = [document[start : start + size] for start in range(0, len(document), size)]
    assert [table.name for table in read(pieces)] == ["größe"]


TRACKED = (
    '<Annotation Term="{}"><Record><PropertyValue Property="Supported" Bool="{}"/></Record>'
    "</Annotation>"
)


@pytest.mark.parametrize("term", ["Org.OData.Capabilities.V1.ChangeTracking", "Cap.ChangeTracking"])
def test_tracked_tables_are_those_whose_set_is_annotated(term: str) -> None:
    sets = "".join(
        f'<EntitySet Name="{name}" EntityType="N.thing">{annotation}</EntitySet>'
        for name, annotation in (
            ("tracked", TRACKED.format(term, "true")),
            ("untracked", TRACKED.format(term, "false")),
            ("silent", ""),
            ("other", TRACKED.format("Org.OData.Capabilities.V1.Other", "true")),
        )
    )
    document = (
        '<e:Edmx xmlns:e="http://docs.oasis-open.org/odata/ns/edmx" '
        'xmlns="http://docs.oasis-open.org/odata/ns/edm"><e:Reference>'
        '<e:Include Namespace="Org.OData.Capabilities.V1" Alias="Cap"/></e:Reference>'
        '<e:DataServices><Schema Namespace="N"><EntityType Name="thing"><Key><PropertyRef '
        'Name="id"/></Key><Property Name="id" Type="Edm.Guid"/></EntityType>'
        f'<EntityContainer Name="C">{sets}</EntityContainer></Schema></e:DataServices></e:Edmx>'
    )
    tables = {table.entity_set: table.tracked for table in read([document.encode()])}
    assert tables == {"tracked": True, "untracked": False, "silent": False, "other": False}
