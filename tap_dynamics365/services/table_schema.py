"""Table schema: the JSON Schema of a table's rows, with what its definition says of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_dynamics365.odata.json_schema import properties

if TYPE_CHECKING:
    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.services.table_definition import ColumnDefinition, TableDefinition


def json_schema(table: Table, definition: TableDefinition | None = None) -> dict[str, Any]:
    """Describe the rows of a table.

    Args:
        table: The table.
        definition: The table definition of the service, if it has one.

    Returns:
        A JSON Schema with a property for each column that rows have. Every property but the key is
        nullable. Enumerations are nullable in the key too, because a value without a name is
        null. Titles are display names. The maximum length of a text is only in its description,
        because services also send longer texts.
    """
    schema: dict[str, Any] = {"type": "object", "properties": properties(table)}
    schema |= _words(table.description, definition)
    if definition is not None:
        columns = definition.by_property
        for column in table.columns:
            found = columns.get(column.name)
            if found is not None and column.name in schema["properties"]:
                schema["properties"][column.name] |= _words(column.description, found, *found.facts)
    return schema


def _words(
    description: str | None, definition: TableDefinition | ColumnDefinition | None, *facts: str
) -> dict[str, str]:
    """Return title and description of a table or a column."""
    words = {}
    if definition is not None:
        description = description or definition.description.text
        if title := definition.display_name.text:
            words["title"] = title
    if facts and description and description[-1] not in ".!?":
        description += "."
    if text := " ".join([description, *facts] if description else facts):
        words["description"] = text
    return words
