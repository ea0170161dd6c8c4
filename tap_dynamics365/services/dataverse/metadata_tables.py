"""Metadata tables: the columns, keys and rows of the streams that describe a Dataverse.

The first five have the names and values of Azure Synapse Link, so that queries written for it work.
The other two follow its style.
https://learn.microsoft.com/power-apps/maker/data-platform/azure-synapse-link-choice-labels
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_dynamics365.services.table_definition import (
        ColumnDefinition,
        Option,
        OptionSet,
        TableDefinition,
        Texts,
    )

Row = dict[str, Any]

# Kinds of columns that are choices in Synapse Link. It has separate tables for state and status.
# EntityNameType is left out, because its options are numbers where rows have names.
CHOICES = frozenset({"PicklistType", "MultiSelectPicklistType", "BooleanType"})
STATES = frozenset({"StateType"})
STATUSES = frozenset({"StatusType"})


@dataclass(frozen=True)
class DescribedTables:
    """The data from which the rows are made.

    Attributes:
        tables: The definitions of the tables.
        primary_ids: The primary id columns of these tables, and of the tables that their lookups
            refer to, by logical name. Unknown ones are missing.
    """

    tables: tuple[TableDefinition, ...]
    primary_ids: Mapping[str, str]


@dataclass(frozen=True)
class MetadataTable:
    """A metadata table.

    Attributes:
        description: The description of the table.
        key: The columns that identify a row.
        columns: Type and description of each column, by name.
        rows: Makes the rows. Columns that a row does not have are null.
    """

    description: str
    key: tuple[str, ...]
    columns: Mapping[str, tuple[str, str]]
    rows: Callable[[DescribedTables], Iterator[Row]]

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the rows. Every property but the key is nullable."""
        return {
            "type": "object",
            "description": self.description,
            "properties": {
                name: {
                    "type": [kind] if name in self.key else [kind, "null"],
                    "description": description,
                }
                for name, (kind, description) in self.columns.items()
            },
        }


def _labels(
    description: DescribedTables, kinds: frozenset[str]
) -> Iterator[tuple[TableDefinition, ColumnDefinition, OptionSet, Option, Row]]:
    """Yield each label of each option of the columns that are of some kinds.

    Synapse Link marks no label as the user's, and queries written for it ask for those that are
    not marked.
    """
    for table in description.tables:
        for column in table.columns:
            if column.options is None or column.kind not in kinds:
                continue
            for option in column.options.options:
                for language, text in option.label.by_language.items():
                    label = {
                        "IsUserLocalizedLabel": False,
                        "LocalizedLabelLanguageCode": language,
                        "LocalizedLabel": text,
                    }
                    yield table, column, column.options, option, label


def _choices(description: DescribedTables) -> Iterator[Row]:
    for table, column, options, option, label in _labels(description, CHOICES):
        if not options.is_global:
            yield _choice(table, column, option) | label


def _global_choices(description: DescribedTables) -> Iterator[Row]:
    for table, column, options, option, label in _labels(description, CHOICES):
        if options.is_global:
            yield _choice(table, column, option) | label | {"GlobalOptionSetName": options.name}


def _choice(table: TableDefinition, column: ColumnDefinition, option: Option) -> Row:
    return {"EntityName": table.name, "OptionSetName": column.name, "Option": option.value}


def _states(description: DescribedTables) -> Iterator[Row]:
    for table, _, _, option, label in _labels(description, STATES):
        yield {"EntityName": table.name, "State": option.value} | label


def _statuses(description: DescribedTables) -> Iterator[Row]:
    for table, _, _, option, label in _labels(description, STATUSES):
        yield {"EntityName": table.name, "State": option.state, "Status": option.value} | label


def _targets(description: DescribedTables) -> Iterator[Row]:
    for table in description.tables:
        for column in table.columns:
            for target in column.targets:
                yield {
                    "EntityName": table.name,
                    "AttributeName": column.name,
                    "ReferencedEntity": target,
                    "ReferencedAttribute": description.primary_ids.get(target),
                }


def _tables(description: DescribedTables) -> Iterator[Row]:
    for table in description.tables:
        yield {
            "EntityName": table.name,
            "SchemaName": table.schema_name,
            "EntitySetName": table.entity_set,
            "LogicalCollectionName": table.collection_name,
            "DisplayName": _by_language(table.display_name),
            "DisplayCollectionName": _by_language(table.display_collection_name),
            "Description": _by_language(table.description),
            "PrimaryIdAttribute": table.primary_id,
            "PrimaryNameAttribute": table.primary_name,
            "OwnershipType": table.ownership,
            "TableType": table.table_type,
            "ChangeTrackingEnabled": table.tracked,
            "IsCustomEntity": table.custom,
        }


def _columns(description: DescribedTables) -> Iterator[Row]:
    for table in description.tables:
        for column in table.columns:
            in_rows = column.readable and not column.attribute_of
            yield {
                "EntityName": table.name,
                "AttributeName": column.name,
                "ColumnName": column.property_name if in_rows else None,
                "SchemaName": column.schema_name,
                "AttributeOf": column.attribute_of,
                "AttributeType": column.kind,
                "Format": column.format,
                "DateTimeBehavior": column.behavior,
                "MaxLength": column.max_length,
                "Precision": column.precision,
                "RequiredLevel": column.required,
                "IsCustomAttribute": column.custom,
                "DisplayName": _by_language(column.display_name),
                "Description": _by_language(column.description),
            }


def _by_language(texts: Texts) -> dict[str, str]:
    return {str(language): text for language, text in texts.by_language.items()}


_TABLE = {"EntityName": ("string", "Logical name of the table.")}
_COLUMN = {"AttributeName": ("string", "Logical name of the column.")}
_CHOICE = {
    **_TABLE,
    "OptionSetName": ("string", "Logical name of the choice column."),
    "Option": ("integer", "The value in rows; 0 or 1 for a yes/no column."),
}
_LABEL = {
    "IsUserLocalizedLabel": ("boolean", "Always false, as in Azure Synapse Link."),
    "LocalizedLabelLanguageCode": ("integer", "Language of the label, such as 1033 for English."),
    "LocalizedLabel": ("string", "The label."),
}
_LANGUAGE = ("LocalizedLabelLanguageCode",)
_NAMES = {
    "DisplayName": ("object", "Display name by language code."),
    "Description": ("object", "Description by language code."),
}

METADATA_TABLES = {
    "OptionsetMetadata": MetadataTable(
        "Labels of choices that belong to one column, and of yes/no columns.",
        ("EntityName", "OptionSetName", "Option", *_LANGUAGE),
        {**_CHOICE, **_LABEL},
        _choices,
    ),
    "GlobalOptionsetMetadata": MetadataTable(
        "Labels of choices that several columns share, for each of these columns.",
        ("EntityName", "OptionSetName", "Option", *_LANGUAGE),
        {**_CHOICE, **_LABEL, "GlobalOptionSetName": ("string", "Name of the shared choice.")},
        _global_choices,
    ),
    "StateMetadata": MetadataTable(
        "Labels of states: the column statecode.",
        ("EntityName", "State", *_LANGUAGE),
        {**_TABLE, "State": ("integer", "The value in rows."), **_LABEL},
        _states,
    ),
    "StatusMetadata": MetadataTable(
        "Labels of status reasons: the column statuscode.",
        ("EntityName", "Status", *_LANGUAGE),
        {
            **_TABLE,
            "State": ("integer", "The state of the status reason."),
            "Status": ("integer", "The value in rows."),
            **_LABEL,
        },
        _statuses,
    ),
    "TargetMetadata": MetadataTable(
        "The tables that lookups refer to.",
        ("EntityName", "AttributeName", "ReferencedEntity"),
        {
            **_TABLE,
            "AttributeName": ("string", "Logical name of the lookup."),
            "ReferencedEntity": ("string", "Logical name of a table that the lookup refers to."),
            "ReferencedAttribute": (
                "string",
                "Primary id column of that table, whose values the lookup has.",
            ),
        },
        _targets,
    ),
    "TableMetadata": MetadataTable(
        "The tables.",
        ("EntityName",),
        {
            **_TABLE,
            "SchemaName": ("string", "Schema name of the table, with capital letters."),
            "EntitySetName": ("string", "Name of the entity set in URLs."),
            "LogicalCollectionName": ("string", "Logical name of the collection."),
            "DisplayName": _NAMES["DisplayName"],
            "DisplayCollectionName": ("object", "Plural display name by language code."),
            "Description": _NAMES["Description"],
            "PrimaryIdAttribute": ("string", "Primary id column."),
            "PrimaryNameAttribute": ("string", "Primary name column."),
            "OwnershipType": ("string", "Ownership of rows, such as UserOwned."),
            "TableType": ("string", "Standard, Virtual or Elastic."),
            "ChangeTrackingEnabled": (
                "boolean",
                "Whether change tracking is on, so that the table can be replicated LOG_BASED.",
            ),
            "IsCustomEntity": ("boolean", "Whether it is a custom table."),
        },
        _tables,
    ),
    "ColumnMetadata": MetadataTable(
        "The columns of the tables.",
        ("EntityName", "AttributeName"),
        {
            **_TABLE,
            **_COLUMN,
            "ColumnName": ("string", "Name of the column in rows; null if rows do not have it."),
            "SchemaName": ("string", "Schema name of the column, with capital letters."),
            "AttributeOf": ("string", "The column whose label or name this column has."),
            "AttributeType": ("string", "Dataverse's AttributeTypeName, such as PicklistType."),
            "Format": ("string", "Format, such as Email or DateOnly."),
            "DateTimeBehavior": ("string", "UserLocal, DateOnly or TimeZoneIndependent."),
            "MaxLength": ("integer", "Maximum length of a text, in characters."),
            "Precision": ("integer", "Decimal places of a number."),
            "RequiredLevel": ("string", "None, Recommended, ApplicationRequired, SystemRequired."),
            "IsCustomAttribute": ("boolean", "Whether it is a custom column."),
            **_NAMES,
        },
        _columns,
    ),
}
