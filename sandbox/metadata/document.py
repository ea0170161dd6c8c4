"""`$metadata` and the service document (Microsoft Learn, "Web API service documents")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from sandbox.data.model import LOOKUPS
from sandbox.metadata.schema_types import CONTAINER_SETS, METADATA_TYPES
from sandbox.query import bodies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.data.model import Column, Model, Table

BOM = b"\xef\xbb\xbf"
HEAD = """<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
  <edmx:Reference Uri="http://vocabularies.odata.org/OData.Community.Keys.V1.xml">
    <edmx:Include Namespace="OData.Community.Keys.V1" Alias="Keys" />
    <edmx:IncludeAnnotations TermNamespace="OData.Community.Keys.V1" />
  </edmx:Reference>
  <edmx:Reference Uri="http://vocabularies.odata.org/OData.Community.Display.V1.xml">
    <edmx:Include Namespace="OData.Community.Display.V1" Alias="Display" />
    <edmx:IncludeAnnotations TermNamespace="OData.Community.Display.V1" />
  </edmx:Reference>
  <edmx:DataServices>"""
FOOT = """  </edmx:DataServices>
</edmx:Edmx>
"""


def service_document(model: Model, root: str) -> dict[str, Any]:
    """Return the service document: the entity sets at the service root."""
    names = [*model.by_set, *(name for name, _ in CONTAINER_SETS if not model.document)]
    return bodies.service_document(root, names)


def metadata_document(model: Model, *, annotated: bool = False) -> bytes:
    """Return the CSDL document, which starts with a byte order mark.

    Args:
        model: The data model. A model that was read from a document returns that document.
        annotated: Whether to include the annotations of `$metadata?annotations=true`.
    """
    if model.document is not None:
        return BOM + model.document.removeprefix(BOM)
    schema = f"Schema Namespace={quoteattr(model.namespace)} Alias={quoteattr(model.alias)}"
    lines = [HEAD, f'    <{schema} xmlns="http://docs.oasis-open.org/odata/ns/edm">']
    lines += ['<EntityType Name="crmbaseentity" Abstract="true" />']
    for table in model.tables:
        lines += _entity_type(model, table, annotated=annotated)
    lines += [METADATA_TYPES, f'<EntityContainer Name="{model.container}">']
    for table in model.tables:
        if table.set_name:
            lines += _entity_set(model, table, annotated=annotated)
    lines += [
        f'<EntitySet Name="{name}" EntityType="{model.namespace}.{kind}" />'
        for name, kind in CONTAINER_SETS
    ]
    lines += ["</EntityContainer>", "    </Schema>", FOOT]
    return BOM + "\n".join(lines).encode()


def _own_columns(model: Model, table: Table) -> list[Column]:
    base = model.by_name.get(table.base)
    inherited = base.by_property if base else {}
    return [column for column in table.columns if column.property_name not in inherited]


def _entity_type(model: Model, table: Table, *, annotated: bool) -> Iterator[str]:
    abstract = ' Abstract="true"' if table.abstract else ""
    base = f"{model.alias}.{table.base}"
    yield f"<EntityType Name={quoteattr(table.name)} BaseType={quoteattr(base)}{abstract}>"
    # Derived types declare their key again, as in the service's document, though OData forbids it.
    keys = "".join(f"<PropertyRef Name={quoteattr(name)} />" for name in table.key)
    yield f"  <Key>{keys}</Key>"
    own = _own_columns(model, table)
    for column in own:
        yield from _property(column, annotated=annotated)
    for column in own:
        yield from _navigation(model, column)
    yield "</EntityType>"


def _property(column: Column, *, annotated: bool) -> Iterator[str]:
    facets = {"Edm.String": ' Unicode="false"', "Edm.Decimal": ' Scale="Variable"'}
    head = (
        f"  <Property Name={quoteattr(column.property_name)} Type={quoteattr(column.edm_type)}"
        f"{facets.get(column.edm_type, '')}"
    )
    if not annotated:
        yield f"{head} />"
        return
    yield f"{head}>"
    description = quoteattr(column.description)
    yield f'    <Annotation Term="Org.OData.Core.V1.Description" String={description} />'
    if column.computed:
        yield '    <Annotation Term="Org.OData.Core.V1.Computed" Bool="true" />'
        yield '    <Annotation Term="Org.OData.Core.V1.Permissions">'
        yield "      <EnumMember>Org.OData.Core.V1.PermissionType/Read</EnumMember>"
        yield "    </Annotation>"
    yield "  </Property>"


def _navigation(model: Model, column: Column) -> Iterator[str]:
    if column.kind not in LOOKUPS:
        return
    targets = list(zip(column.navigation, column.targets, strict=True))
    if len(set(column.navigation)) < len(targets):
        # An owner is a user or a team: one navigation property to their common base type.
        targets = [(column.name, "principal")]
    for name, target in targets:
        other = model.by_name.get(target)
        if other is None:
            continue
        kind = f"{model.alias}.{target}"
        yield (
            f"  <NavigationProperty Name={quoteattr(name)} Type={quoteattr(kind)} Nullable="
            f'"false"><ReferentialConstraint Property={quoteattr(column.property_name)} '
            f"ReferencedProperty={quoteattr(other.primary_id)} /></NavigationProperty>"
        )


def _entity_set(model: Model, table: Table, *, annotated: bool) -> Iterator[str]:
    kind = f"{model.namespace}.{table.name}"
    yield f"<EntitySet Name={quoteattr(table.set_name)} EntityType={quoteattr(kind)}>"
    for column in table.columns:
        if column.kind not in LOOKUPS:
            continue
        for name, target in dict(zip(column.navigation, column.targets, strict=True)).items():
            other = model.by_name.get(target)
            if other and other.set_name:
                path, goal = quoteattr(name), quoteattr(other.set_name)
                yield f"  <NavigationPropertyBinding Path={path} Target={goal} />"
    if annotated:
        yield from _set_annotations(table)
    yield "</EntitySet>"


def _set_annotations(table: Table) -> Iterator[str]:
    vocabulary = "Org.OData.Capabilities.V1"
    yield f'  <Annotation Term="{vocabulary}.IndexableByKey" Bool="true" />'
    yield f'  <Annotation Term="{vocabulary}.SkipSupported" Bool="false" />'
    for term, name, value in (
        ("SearchRestrictions", "Searchable", "false"),
        ("CountRestrictions", "Countable", "true"),
        ("ChangeTracking", "Supported", str(table.change_tracking).lower()),
    ):
        yield f'  <Annotation Term="{vocabulary}.{term}"><Record>'
        yield f'    <PropertyValue Property="{name}" Bool="{value}" /></Record></Annotation>'
    yield f'  <Annotation Term="{vocabulary}.NavigationRestrictions"><Record>'
    yield '    <PropertyValue Property="Navigability"><EnumMember>'
    yield f"{vocabulary}.NavigationType/Single</EnumMember></PropertyValue></Record></Annotation>"
