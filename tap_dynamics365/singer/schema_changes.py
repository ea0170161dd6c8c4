"""Schema changes: tables and columns that are new, gone or of another type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tap_dynamics365.extract.read import DELETED_AT
from tap_dynamics365.odata.json_schema import properties

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_dynamics365.odata.edm import Table

#: The types of columns in words, by table and column.
Types = dict[str, dict[str, str]]


class Retyped(NamedTuple):
    """A column of another type.

    Attributes:
        column: The column.
        before: The type that it had, as the catalog has it: `string`, `string date-time`.
        now: The type that it has.
    """

    column: str
    before: str
    now: str


@dataclass(frozen=True, kw_only=True)
class TableChange:
    """What has changed in a table.

    Attributes:
        table: The table.
        change: Whether the table itself is new, gone, or there as before.
        added: The new columns; of a new table, all columns.
        removed: The columns that are gone; of a table that is gone, none.
        retyped: The columns of another type.
    """

    table: str
    change: Literal["new", "gone", "changed"]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    retyped: tuple[Retyped, ...] = ()


def of_tables(tables: Iterable[Table]) -> Types:
    """Return the types of the columns of tables.

    Args:
        tables: The tables.
    """
    return {
        table.name: {name: _type(schema) for name, schema in properties(table).items()}
        for table in tables
    }


def of_catalog(document: Mapping[str, Any]) -> Types:
    """Return the types of the columns in a catalog, without those that the tap adds.

    Args:
        document: The catalog, decoded from JSON.

    Raises:
        LookupError: It is no catalog.
        TypeError: As above.
        AttributeError: As above.
    """
    found = {}
    for stream in document["streams"]:
        added = {
            item["breadcrumb"][-1]
            for item in stream.get("metadata", ())
            if "annotation" in item["metadata"]
        } | {DELETED_AT}
        found[stream["tap_stream_id"]] = {
            name: _type(schema)
            for name, schema in stream["schema"]["properties"].items()
            if name not in added
        }
    return found


def compare(before: Types, now: Types) -> list[TableChange]:
    """Return what has changed, by the name of the table.

    Args:
        before: The types of the columns before.
        now: The types of the columns now.
    """
    return [*_compare(before, now)]


def _compare(before: Types, now: Types) -> Iterator[TableChange]:
    for table in sorted(before.keys() | now.keys()):
        if table not in before:
            yield TableChange(table=table, change="new", added=(*now[table],))
        elif table not in now:
            yield TableChange(table=table, change="gone")
        elif before[table] != now[table]:
            yield TableChange(
                table=table,
                change="changed",
                added=tuple(name for name in now[table] if name not in before[table]),
                removed=tuple(name for name in before[table] if name not in now[table]),
                retyped=tuple(
                    Retyped(name, old, now[table][name])
                    for name, old in before[table].items()
                    if now[table].get(name, old) != old
                ),
            )


def _type(schema: Mapping[str, Any]) -> str:
    """Write the type of a column without the null that most columns can have."""
    given = schema.get("type", ())
    types = [given] if isinstance(given, str) else given
    words = [each for each in types if each != "null"]
    return " ".join([*words, *filter(None, [schema.get("format")])])
