"""Table definitions: queries of `EntityDefinitions` and `GlobalOptionSetDefinitions`.

Metadata is never paged, and `MetadataId` is always selected (Microsoft Learn, "Query table
definitions using the Web API").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.data.model import Kind
from sandbox.faults.errors import bad_query, no_such_table, unknown_property, unknown_segment
from sandbox.metadata import descriptions
from sandbox.query import filters
from sandbox.query.matching import matches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.data.model import Model, OptionSet, Table

Json = dict[str, Any]
SETS = re.compile(r"(EntityDefinitions|GlobalOptionSetDefinitions)(?:\(([^)]*)\))?((?:/.*)?)$")
PART = re.compile(r"/(\w+)(?:\(([^)]*)\))?(?:/(?:\w+\.)+(\w+))?$")
RELATED = frozenset(
    {"ManyToOneRelationships", "OneToManyRelationships", "ManyToManyRelationships", "Keys"}
)
UNSUPPORTED = frozenset({"$top", "$skip", "$orderby"})
EXPANDABLE = RELATED | {"Attributes", "OptionSet", "GlobalOptionSet"}


def _split(text: str, separator: str) -> list[str]:
    """Split a list, ignoring separators within brackets."""
    parts, depth, part = [], 0, ""
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == separator and not depth:
            parts.append(part)
            part = ""
        else:
            part += letter
    return [part.strip() for part in [*parts, part] if part.strip()]


def _expands(text: str) -> dict[str, dict[str, str]]:
    """Parse `Attributes($select=a,b;$filter=c)` into names with options of their own."""
    found = {}
    for part in _split(text, ","):
        name, _, inner = part.partition("(")
        if name not in EXPANDABLE:
            message = f"Could not find a property named '{name}' on type 'EntityMetadata'."
            raise bad_query(message)
        pairs = (option.partition("=") for option in _split(inner.removesuffix(")"), ";"))
        found[name] = {option: value for option, _, value in pairs}
    return found


class Definitions:
    """Answers queries over the metadata of a model.

    Args:
        model: The data model.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._version = (0, 0)
        self._tables: dict[str, Json] = {}
        self._attributes: dict[tuple[int, int, str], list[Json]] = {}

    @property
    def tables(self) -> dict[str, Json]:
        """Definitions of all tables, by logical name."""
        version, user = self.model.version, self.model.user_language
        if self._version != (version, user):
            self._version = (version, user)
            self._tables = {
                table.name: descriptions.entity(table, user) for table in self.model.tables
            }
        return self._tables

    def knows(self, path: str) -> bool:
        """Return whether a path addresses definitions."""
        return SETS.match(path) is not None

    def get(self, path: str, root: str, given: dict[str, str]) -> bytes:
        """Return the response to a GET.

        Args:
            path: Decoded path below the service root.
            root: URL of the service root.
            given: Decoded query options.

        Raises:
            ServiceError: The path or the query is invalid.
        """
        match = SETS.match(path)
        if match is None:
            raise unknown_segment(path)
        name, key, rest = match.groups()
        context = f"{root}$metadata#{name}"
        if name == "GlobalOptionSetDefinitions":
            return self._global_option_sets(key, context, given)
        if key is None:
            return self._collection(self.tables.values(), "EntityMetadata", context, given)
        table = self._table(key)
        if not rest:
            row = self.tables[table.name]
            found = self._shaped([row], "EntityMetadata", context, given)[0]
            return msgspec.json.encode({"@odata.context": f"{context}/$entity", **found})
        return self._part(table, rest, f"{context}('{table.name}'){rest}", given)

    def _table(self, key: str) -> Table:
        name = re.fullmatch(r"LogicalName='([^']*)'", key)
        for table in self.model.tables:
            if table.name == (name[1] if name else None):
                return table
            if self.tables[table.name]["MetadataId"] == key.lower():
                return table
        raise no_such_table(name[1] if name else key)

    def _part(self, table: Table, rest: str, context: str, given: dict[str, str]) -> bytes:
        match = PART.match(rest)
        if match is None:
            raise unknown_segment(rest.strip("/"))
        name, key, cast = match.groups()
        if name in RELATED:
            rows = self.related(name, table)
            return self._collection(rows, "OneToManyRelationshipMetadata", context, given)
        if name != "Attributes":
            raise unknown_segment(name)
        rows = self.columns(table)
        if cast:
            rows = [row for row in rows if row["@odata.type"].endswith(f".{cast}")]
        kind = cast or "AttributeMetadata"
        if key is None:
            return self._collection(rows, kind, context, given)
        wanted = key.removeprefix("LogicalName=").strip("'")
        chosen = [row for row in rows if wanted in {row["LogicalName"], row["MetadataId"]}]
        if not chosen:
            raise unknown_segment(wanted)
        found = self._shaped(chosen, kind, context, given)[0]
        return msgspec.json.encode({"@odata.context": f"{context}/$entity", **found})

    def columns(self, table: Table) -> list[Json]:
        """Return the definitions of a table's columns."""
        user = self.model.user_language
        name = (self.model.version, user, table.name)
        if name not in self._attributes:
            self._attributes[name] = [
                *(
                    descriptions.attribute(table, column, user) | descriptions.details(column, user)
                    for column in table.columns
                    if column.kind is not Kind.STREAM
                ),
                *descriptions.shadows(table, user),
            ]
        return self._attributes[name]

    def related(self, name: str, table: Table) -> list[Json]:
        """Return the relationships of a table.

        There are no alternate keys, and no N:N relationships.

        Args:
            name: Name of the navigation property.
            table: The table.
        """
        if name == "ManyToOneRelationships":
            return descriptions.relationships(self.model, table)
        if name == "OneToManyRelationships":
            return [
                each
                for other in self.model.tables
                for each in descriptions.relationships(self.model, other)
                if each["ReferencedEntity"] == table.name
            ]
        return []

    def _global_option_sets(self, key: str | None, context: str, given: dict[str, str]) -> bytes:
        found: dict[str, OptionSet] = {
            column.options.name: column.options
            for table in self.model.tables
            for column in table.columns
            if column.options and column.options.is_global
        }
        rows = [
            descriptions.option_set(each, Kind.PICKLIST, self.model.user_language)
            for each in found.values()
        ]
        if key is None:
            return self._collection(rows, "OptionSetMetadata", context, given)
        wanted = key.removeprefix("Name=").strip("'")
        for row in rows:
            if wanted in {row["Name"], row["MetadataId"]}:
                return msgspec.json.encode({"@odata.context": f"{context}/$entity", **row})
        raise unknown_segment(wanted)

    def _collection(
        self, rows: Iterable[Json], kind: str, context: str, given: dict[str, str]
    ) -> bytes:
        found = self._shaped(list(rows), kind, context, given)
        count = {"@odata.count": len(found)} if given.get("$count") == "true" else {}
        if select := given.get("$select"):
            context += f"({select})"
        return msgspec.json.encode({"@odata.context": context, **count, "value": found})

    def _shaped(
        self, rows: list[Json], kind: str, context: str, given: dict[str, str]
    ) -> list[Json]:
        """Apply `$filter`, `$select` and `$expand` to rows."""
        for name in UNSUPPORTED & set(given):
            message = f"The query parameter '{name}' is not supported for metadata."
            raise bad_query(message)
        if condition := given.get("$filter"):
            tree = filters.parse(condition)
            rows = [row for row in rows if matches(tree, row, kind)]
        expands = _expands(given.get("$expand", ""))
        select = [name.strip() for name in given.get("$select", "").split(",") if name.strip()]
        return [self._selected(row, kind, context, select, expands) for row in rows]

    def _selected(
        self,
        row: Json,
        kind: str,
        context: str,
        select: list[str],
        expands: dict[str, dict[str, str]],
    ) -> Json:
        for name in select:
            if name not in row and kind in {"EntityMetadata", "AttributeMetadata"}:
                raise unknown_property(name, f"{self.model.namespace}.{kind}")
        kept = {"MetadataId", "@odata.type", *select}
        hidden = descriptions.OPTION_SETS - set(expands)
        result = {
            name: value
            for name, value in row.items()
            if (not select or name in kept or name in expands) and name not in hidden
        }
        for name, options in expands.items():
            if name in row or kind != "EntityMetadata":
                continue
            table = self.model.by_name[row["LogicalName"]]
            columns = name == "Attributes"
            below = f"{context.partition('(')[0]}({row['MetadataId']})/{name}"
            related = self.columns(table) if columns else self.related(name, table)
            found = self._shaped(related, "AttributeMetadata" if columns else name, below, options)
            if "MetadataId" in result:
                # As in recorded responses, MetadataId follows the selected properties.
                result["MetadataId"] = result.pop("MetadataId")
            if chosen := options.get("$select"):
                below += f"({chosen})"
            result[f"{name}@odata.context"] = below
            result[name] = found
        return result
