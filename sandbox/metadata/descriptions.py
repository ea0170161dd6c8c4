"""Definitions of tables, columns and choices as plain JSON values.

The source is Microsoft Learn, "Query table definitions using the Web API".
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from sandbox.data.model import ENGLISH, GERMAN, LOOKUPS, Kind, Label, TableType
from sandbox.metadata import privileges

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.data.model import Column, Model, OptionSet, Table

Json = dict[str, Any]
OPTION_SETS = frozenset({"OptionSet", "GlobalOptionSet"})
VIRTUAL = frozenset(
    {Kind.FILE, Kind.IMAGE, Kind.MULTI_SELECT, Kind.STRUCTURE, Kind.STREAM, Kind.TIME}
)
# Kinds whose type cast has another name.
CASTS = {
    Kind.CUSTOMER: "Lookup",
    Kind.OWNER: "Lookup",
    Kind.UNIQUE_IDENTIFIER: "UniqueIdentifier",
}
SUFFIX = "AttributeMetadata"


def identifier(*names: str) -> str:
    """Return a MetadataId, which is the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(names)))


def label(text: Label, user: int, *names: str) -> Json:
    """Return a label in both languages, and in the user's language."""
    if not text.english:
        return {"LocalizedLabels": [], "UserLocalizedLabel": None}
    both = [
        {
            "Label": words,
            "LanguageCode": language,
            "IsManaged": True,
            "MetadataId": identifier(*names, str(language)),
            "HasChanged": None,
        }
        for words, language in ((text.english, ENGLISH), (text.german, GERMAN))
    ]
    return {"LocalizedLabels": both, "UserLocalizedLabel": both[user == GERMAN]}


def managed(value: bool, name: str) -> Json:  # noqa: FBT001  - the value is all there is
    """Return a managed property."""
    return {"Value": value, "CanBeChanged": False, "ManagedPropertyLogicalName": name}


def entity(table: Table, user: int) -> Json:
    """Return the definition of a table: a row of `EntityDefinitions`."""
    virtual = table.table_type is TableType.VIRTUAL
    name = table.name
    return {
        "MetadataId": identifier(name),
        "HasChanged": None,
        "LogicalName": name,
        "SchemaName": table.schema_name,
        "LogicalCollectionName": table.set_name,
        "CollectionSchemaName": table.set_name,
        "EntitySetName": table.set_name,
        "PrimaryIdAttribute": table.primary_id,
        "PrimaryNameAttribute": table.primary_name or None,
        "PrimaryImageAttribute": "entityimage" if "entityimage" in table.by_property else None,
        "ObjectTypeCode": table.type_code,
        "IsIntersect": table.intersect,
        "IsPrivate": table.private,
        "IsLogicalEntity": table.logical,
        "IsActivity": table.activity,
        "IsActivityParty": name == "activityparty",
        "IsCustomEntity": table.custom,
        "IsManaged": not table.custom,
        "IsValidForAdvancedFind": not table.private and not table.intersect,
        "IsBPFEntity": False,
        "DataProviderId": table.data_provider or None,
        "DataSourceId": identifier(name, "source") if virtual else None,
        "ChangeTrackingEnabled": table.change_tracking,
        "CanChangeTrackingBeEnabled": managed(not virtual, "canchangetrackingbeenabled"),
        "IsAuditEnabled": managed(table.change_tracking, "canmodifyauditsettings"),
        "IsCustomizable": managed(table.custom, "iscustomizable"),
        "OwnershipType": table.ownership,
        "TableType": table.table_type,
        "Privileges": [*privileges.of(table)],
        "DisplayName": label(table.label, user, name, "name"),
        "DisplayCollectionName": label(table.plural, user, name, "plural"),
        "Description": label(Label(table.description, table.description), user, name, "text"),
    }


def option_set(found: OptionSet, kind: Kind, user: int) -> Json:
    """Return the definition of a choice, or of a yes/no column's two options."""
    types = {Kind.STATE: "State", Kind.STATUS: "Status", Kind.BOOLEAN: "Boolean"}
    options = []
    for option in found.options:
        described = {
            "Value": option.value,
            "Label": label(option.label, user, found.name, str(option.value)),
            "Description": label(Label("", ""), user),
            "Color": None,
            "IsManaged": not found.is_global,
            "ExternalValue": "",
            "ParentValues": [],
            "MetadataId": None,
        }
        if kind is Kind.STATUS:
            described |= {"State": option.state, "TransitionData": None}
        if kind is Kind.STATE:
            described |= {"DefaultStatus": option.value + 1}
            described |= {"InvariantName": option.label.english}
        options.append(described)
    head = {
        "MetadataId": identifier(found.name),
        "Name": found.name,
        "IsGlobal": found.is_global,
        "IsCustomOptionSet": found.name.startswith("new_"),
        "OptionSetType": types.get(kind, "Picklist"),
        "DisplayName": label(Label(found.name, found.name), user, found.name),
    }
    if kind is Kind.BOOLEAN:
        return head | {"FalseOption": options[0], "TrueOption": options[1]}
    return head | {"Options": options}


def cast(column: Column) -> str:
    """Return the metadata type of a column, such as `PicklistAttributeMetadata`."""
    return CASTS.get(column.kind, column.kind.removesuffix("Type")) + SUFFIX


def attribute(table: Table, column: Column, user: int) -> Json:
    """Return the properties that the definitions of all columns have."""
    kind = column.kind
    name = column.name
    return {
        "@odata.type": f"#Microsoft.Dynamics.CRM.{cast(column)}",
        "MetadataId": identifier(table.name, name),
        "HasChanged": None,
        "LogicalName": name,
        "SchemaName": name,
        "EntityLogicalName": table.name,
        "AttributeOf": None,
        "AttributeType": "Virtual" if kind in VIRTUAL else kind.removesuffix("Type"),
        "AttributeTypeName": {"Value": str(kind)},
        "ColumnNumber": table.numbers[name],
        "IsValidForRead": True,
        "IsValidForCreate": not column.computed,
        "IsValidForUpdate": not column.computed,
        "IsValidODataAttribute": True,
        "IsFilterable": kind not in VIRTUAL,
        "IsLogical": False,
        "IsPrimaryId": name == table.primary_id,
        "IsPrimaryName": name == table.primary_name,
        "IsSecured": False,
        "IsCustomAttribute": name.startswith("new_"),
        "IsManaged": not table.custom,
        "SourceType": 0,
        "RequiredLevel": {
            "Value": "SystemRequired" if name == table.primary_id else "None",
            "CanBeChanged": True,
            "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
        },
        "DisplayName": label(column.label, user, table.name, name, "name"),
        "Description": label(
            Label(column.description, column.description), user, table.name, name, "text"
        ),
    }


def details(column: Column, user: int) -> Json:
    """Return the properties of a column's own metadata type, including option sets."""
    kind = column.kind
    if kind in {Kind.STRING, Kind.MEMO}:
        text = "TextArea" if kind is Kind.MEMO else "Text"
        length = column.max_length or 100
        return {"MaxLength": length, "Format": text, "FormatName": {"Value": text}}
    if kind is Kind.DATETIME:
        form = "DateOnly" if column.edm_type == "Edm.Date" else "DateAndTime"
        return {"Format": form, "DateTimeBehavior": {"Value": column.behavior}, "ImeMode": "Auto"}
    if kind in LOOKUPS:
        return {"Targets": list(column.targets), "Format": "None"}
    if column.options is not None:
        options = option_set(column.options, kind, user)
        default = {"DefaultValue": False} if kind is Kind.BOOLEAN else {"DefaultFormValue": -1}
        shared = options if column.options.is_global else None
        return {**default, "OptionSet": options, "GlobalOptionSet": shared}
    return _limits(column)


def _limits(column: Column) -> Json:
    """Return the range of a number, or the size of a file."""
    kind, scale = column.kind, column.scale or 0
    if kind is Kind.MONEY:
        base = column.name.endswith("_base")
        limit = 922337203685477.0
        return {
            # Limit of entered values; computed values have more digits.
            "Precision": min(scale, 4),
            "PrecisionSource": 2,
            "IsBaseCurrency": base,
            "CalculationOf": column.name.removesuffix("_base") if base else None,
            "MinValue": -limit,
            "MaxValue": limit,
        }
    if kind in {Kind.DECIMAL, Kind.DOUBLE}:
        return {"Precision": scale, "MinValue": -100000000000.0, "MaxValue": 100000000000.0}
    if kind is Kind.INTEGER:
        return {"Format": "None", "MinValue": -(2**31), "MaxValue": 2**31 - 1}
    if kind is Kind.BIGINT:
        return {"MinValue": -(2**63), "MaxValue": 2**63 - 1}
    return {"MaxSizeInKB": 32768} if kind in {Kind.FILE, Kind.IMAGE} else {}


def shadows(table: Table, user: int) -> Iterator[Json]:
    """Yield definitions of columns with the label or name of another column.

    These columns are not in the CSDL document.
    """
    for column in table.columns:
        if column.options is None and column.kind not in LOOKUPS:
            continue
        described = attribute(table, column, user)
        name = f"{column.name}name"
        lookup = column.kind in LOOKUPS
        yield described | {
            "@odata.type": f"#Microsoft.Dynamics.CRM.{'String' if lookup else ''}{SUFFIX}",
            "MetadataId": identifier(table.name, name),
            "LogicalName": name,
            "SchemaName": name,
            "AttributeOf": column.name,
            "AttributeType": "String" if lookup else "Virtual",
            "AttributeTypeName": {"Value": "StringType" if lookup else "VirtualType"},
            "IsLogical": True,
            "IsFilterable": False,
            "IsValidODataAttribute": False,
            "IsPrimaryId": False,
            "IsPrimaryName": False,
            "DisplayName": label(Label("", ""), user),
        }


def relationships(model: Model, table: Table) -> list[Json]:
    """Return the many-to-one relationships of a table: one for each target of each lookup."""
    found = []
    for column in table.columns:
        for target, navigation in zip(column.targets, column.navigation, strict=True):
            other = model.by_name.get(target)
            name = f"{table.name}_{column.name}_{target}"
            found.append(
                {
                    "MetadataId": identifier(name),
                    "SchemaName": name,
                    "RelationshipType": "OneToManyRelationship",
                    "ReferencingEntity": table.name,
                    "ReferencingAttribute": column.name,
                    "ReferencingEntityNavigationPropertyName": navigation,
                    "ReferencedEntity": target,
                    "ReferencedAttribute": other.primary_id if other else f"{target}id",
                    "ReferencedEntityNavigationPropertyName": name,
                    "IsCustomRelationship": table.custom,
                }
            )
    return found
