"""Map changes: applies changes of the data model to a known description."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tap_dynamics365.odata.edm import Column, Primitive, Table
from tap_dynamics365.services.table_definition import Definitions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_dynamics365.services.dataverse.retrieve_metadata_changes import Changes
    from tap_dynamics365.services.table_definition import ColumnDefinition, TableDefinition

# The types that columns of each kind have in `$metadata`.
# https://learn.microsoft.com/power-apps/developer/data-platform/webapi/web-api-properties
EDM_TYPES = {
    "BigIntType": "Edm.Int64",
    "BooleanType": "Edm.Boolean",
    "CustomerType": "Edm.Guid",
    "DateTimeType": "Edm.DateTimeOffset",
    "DecimalType": "Edm.Decimal",
    "DoubleType": "Edm.Double",
    "IntegerType": "Edm.Int32",
    "LookupType": "Edm.Guid",
    "MemoType": "Edm.String",
    "MoneyType": "Edm.Decimal",
    "MultiSelectPicklistType": "Edm.String",
    "OwnerType": "Edm.Guid",
    "PicklistType": "Edm.Int32",
    "StateType": "Edm.Int32",
    "StatusType": "Edm.Int32",
    "StringType": "Edm.String",
    "UniqueidentifierType": "Edm.Guid",
}


def apply(
    changes: Changes, known: Definitions, tables: Sequence[Table]
) -> tuple[Definitions, tuple[Table, ...] | None]:
    """Apply changes.

    Args:
        changes: The changes.
        known: The definitions before the changes.
        tables: The tables of `$metadata` before the changes.

    Returns:
        The changed definitions and tables. The tables are None if `$metadata` has to be read,
        because there are new columns whose types don't follow from their kinds.
    """
    left = {
        name: replace(
            table,
            columns=tuple(each for each in table.columns if each.id not in changes.deleted),
        )
        for name, table in known.tables.items()
        if table.id not in changes.deleted
    }
    definitions = left | {changed.name: changed for changed in changes.tables}
    found = Definitions(definitions, changes.stamp or known.stamp)
    return found, _changed_tables(changes.tables, left, _left_tables(known, left, tables))


def _left_tables(
    known: Definitions, left: dict[str, TableDefinition], tables: Sequence[Table]
) -> dict[str, Table]:
    """Remove the tables and columns that were deleted, or whose names now belong to others."""
    made = {table.name: table for table in tables}
    for name, before in known.tables.items():
        if name not in left:
            made.pop(name, None)
        elif name in made and len(left[name].columns) < len(before.columns):
            gone = before.by_property.keys() - left[name].by_property.keys()
            columns = tuple(each for each in made[name].columns if each.name not in gone)
            made[name] = replace(made[name], columns=columns)
    return made


def _changed_tables(
    changes: Sequence[TableDefinition],
    left: dict[str, TableDefinition],
    made: dict[str, Table],
) -> tuple[Table, ...] | None:
    """Rebuild the tables that changed; return None if `$metadata` has to be read."""
    for changed in changes:
        definition = left.get(changed.name)
        table = made.get(changed.name)
        if table is None:
            if definition is not None or not changed.entity_set:
                # It has a definition, but no rows.
                continue
            table = Table(changed.name, changed.entity_set, (changed.primary_id,), ())
        result = _changed(table, definition, changed)
        if result is None or not {column.name for column in result.columns}.issuperset(result.key):
            return None
        made[changed.name] = result
    return tuple(made.values())


def _changed(
    table: Table, before: TableDefinition | None, changed: TableDefinition
) -> Table | None:
    """Rebuild a table; return None if the type of a column is unknown."""
    columns = {column.name: column for column in table.columns}
    old: dict[str, ColumnDefinition] = {}
    if before is not None:
        old = {column.name: column for column in before.columns}
        for gone in before.by_property.keys() - changed.by_property.keys():
            columns.pop(gone, None)
    for column in changed.columns:
        was = old.get(column.name)
        if column.attribute_of is not None or column == was:
            continue
        if was is not None and (was.kind, was.behavior) == (column.kind, column.behavior):
            if (known := columns.get(column.property_name)) is not None:
                # The description now comes from the definition.
                columns[known.name] = replace(known, description=None)
            continue
        if not column.readable:
            continue
        edm_type = _edm_type(column)
        if edm_type is None:
            return None
        columns[column.property_name] = Column(column.property_name, Primitive(edm_type))
    return replace(
        table,
        entity_set=changed.entity_set or table.entity_set,
        columns=tuple(columns.values()),
        description=None,
        tracked=changed.tracked,
    )


def _edm_type(column: ColumnDefinition) -> str | None:
    if column.kind == "DateTimeType" and column.behavior == "DateOnly":
        return "Edm.Date"
    return EDM_TYPES.get(column.kind)
