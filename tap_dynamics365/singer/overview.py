"""Overview: what is known of a table and of its columns, for people who choose among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_dynamics365.extract.replication import possible_replication_keys
from tap_dynamics365.odata.edm import Collection, Complex, Enumeration, Primitive
from tap_dynamics365.odata.json_schema import is_stream
from tap_dynamics365.services import column_words
from tap_dynamics365.services.table_schema import json_schema

if TYPE_CHECKING:
    from tap_dynamics365.odata.edm import EdmType
    from tap_dynamics365.services.describe import Described
    from tap_dynamics365.services.kind import ServiceKind


def of_table(described: Described, kind: ServiceKind, rows: int | None) -> dict[str, Any]:
    """Return what is known of a table.

    Args:
        described: The table.
        kind: The service.
        rows: About how many rows it has; None if that is not known.

    Returns:
        The values by the names that `dynamics365 tables --json` has.
    """
    table, definition = described
    return {
        "name": table.name,
        "label": definition.display_name.text if definition else None,
        "key": table.key,
        "replication_key": next(
            iter(possible_replication_keys(table, kind.replication_keys)), None
        ),
        "tracks_changes": table.tracked,
        "rows": rows,
    }


def of_columns(described: Described) -> list[dict[str, Any]]:
    """Return what is known of each column of a table.

    Args:
        described: The table.

    Returns:
        The values by the names that `dynamics365 tables --columns TABLE --json` has.
    """
    table, definition = described
    known = json_schema(table, definition)["properties"]
    defined = definition.by_property if definition else {}
    return [
        {
            "name": column.name,
            "type": _type(column.type),
            "kind": column_words.kind(column, found),
            "label": known[column.name].get("title"),
            "description": known[column.name].get("description"),
            "targets": list(found.targets) if found else [],
            "choices": [each._asdict() for each in column_words.choices(column, found)],
        }
        for column in table.columns
        if not is_stream(column)
        for found in [defined.get(column.name)]
    ]


def _type(kind: EdmType) -> str:
    """Say the type of a column."""
    match kind:
        case Primitive(name):
            return name.removeprefix("Edm.")
        case Enumeration(name):
            return name.rpartition(".")[2]
        case Complex():
            return "object"
        case Collection(item):
            return f"list of {_type(item)}"
