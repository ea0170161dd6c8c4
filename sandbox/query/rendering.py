"""Rendering of rows: SQL expressions with which SQLite writes the JSON of a row.

A page of thousands of rows is assembled outside the interpreter. As in the service's responses, a
row lists columns with a value first and columns that are null after them; annotations come just
before their value.
"""

from __future__ import annotations

import json
import zlib
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

from sandbox.data.model import CHOICES, EXACT_TEXT, LOOKUPS, OBJECTS, Etag, Kind
from sandbox.data.pools import EPOCH_IN_SECONDS, TICKS
from sandbox.data.store import OWN_TABLE, UNCOLLATED, quoted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from sandbox.data.model import Column, Model, Table

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_NAME = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"
OF_VALUES = (FORMATTED, LOOKUP_NAME, NAVIGATION)
MOST_ARGUMENTS = 100


def text(value: str) -> str:
    """Return a string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def wanted(annotation: str, patterns: Iterable[str]) -> bool:
    """Return whether an annotation matches one of the requested patterns."""
    return any(fnmatchcase(annotation, pattern) for pattern in patterns)


def _etag(table: Table) -> str:
    """Return the SQL expression for a row's `@odata.etag`, or an empty string."""
    if table.etag is Etag.KEY:
        return f"'{{' || upper({quoted(table.primary_id)}) || '}}'"
    if table.etag is Etag.COSMOS_DB:
        return f"cosmos_etag({quoted(table.version_column)})"
    return quoted(table.version_column) if table.version_column else ""


def _value(column: Column) -> str:
    name = quoted(column.property_name)
    if column.edm_type == "Edm.Boolean":
        return f"iif({name}, 'true', 'false')"
    if column.edm_type in EXACT_TEXT or column.kind in OBJECTS:
        return name
    if column.edm_type == "Edm.DateTimeOffset":
        return f"'\"' || {name} || 'Z\"'"
    if column.edm_type in UNCOLLATED:
        return f"'\"' || {name} || '\"'"
    return f"json_quote({name})"


def joined(parts: list[str]) -> str:
    """Concatenate SQL expressions; a function takes a limited number of arguments."""
    chunks = [
        parts[start : start + MOST_ARGUMENTS] for start in range(0, len(parts), MOST_ARGUMENTS)
    ]
    return " || ".join(f"format('{'%s' * len(chunk)}', {', '.join(chunk)})" for chunk in chunks)


class Renderer:
    """Writes the SQL expressions for rows of a model.

    Args:
        model: The data model.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    def row(
        self,
        table: Table,
        columns: Iterable[Column] = (),
        annotations: tuple[str, ...] = (),
        *,
        etag: bool = True,
    ) -> str:
        """Return the SQL expression for a row's JSON object.

        Args:
            table: The table.
            columns: Columns to return. Empty returns all columns.
            annotations: Patterns of `Prefer: odata.include-annotations`.
            etag: Whether the row has its `@odata.etag`.
        """
        chosen = [c for c in (columns or table.columns) if c.kind is not Kind.STREAM]
        if table.is_alphabetical:
            chosen.sort(key=lambda column: column.property_name)
        parts: list[str] = []
        ending: list[str] = []
        if table.union_of:
            type_name = f'\',"@odata.type":"#{self.model.namespace}.\''
            parts.append(f"{type_name} || {quoted(OWN_TABLE)} || '\"'")
        if etag and (tag := _etag(table)):
            tag = f'\',"@odata.etag":"W/\\"\' || {tag} || \'\\""\''
            (ending if table.is_alphabetical else parts).append(tag)
        nulls = []
        for column in chosen:
            name, key = (
                quoted(column.property_name),
                json.dumps(column.property_name, ensure_ascii=False),
            )
            shown = " || ".join(
                [*self._annotations(table, column, annotations), text(f",{key}:"), _value(column)]
            )
            null = text(f",{key}:null")
            if table.is_alphabetical:
                parts.append(f"iif({name} IS NULL, {null}, {shown})")
                continue
            parts.append(f"iif({name} IS NULL, '', {shown})")
            if column.property_name not in table.row_key:
                nulls.append(f"iif({name} IS NULL, {null}, '')")
        return f"'{{' || substr({joined(parts + nulls + ending)}, 2) || '}}'"

    def _annotations(self, table: Table, column: Column, patterns: tuple[str, ...]) -> list[str]:
        if not patterns:
            return []
        found = []
        if wanted(FORMATTED, patterns) and (formatted := self._formatted(table, column)):
            found.append((FORMATTED, formatted))
        if column.kind in LOOKUPS and column.targets:
            kind = quoted(column.type_column)
            # Recorded responses omit a navigation property with the name of the column.
            told = column.is_polymorphic or column.navigation[0] != column.name
            if told and not table.bare_lookups and wanted(NAVIGATION, patterns):
                names = zip(column.targets, column.navigation, strict=True)
                found.append(
                    (
                        NAVIGATION,
                        _case(kind, names) if column.is_polymorphic else text(column.navigation[0]),
                    )
                )
            if wanted(LOOKUP_NAME, patterns):
                found.append(
                    (LOOKUP_NAME, kind if column.is_polymorphic else text(column.targets[0]))
                )
        if table.bare_lookups:
            found.reverse()
        key = json.dumps(column.property_name, ensure_ascii=False)[:-1]
        named = ((text(f',{key}@{annotation}":'), value) for annotation, value in found)
        return [
            f"ifnull({name} || nullif(json_quote({value}), 'null'), '')" for name, value in named
        ]

    def _formatted(  # noqa: PLR0911  - a rule for each kind
        self, table: Table, column: Column
    ) -> str:
        name = quoted(column.property_name)
        options = [
            (option.value, option.label.of(self.model.user_language))
            for option in (column.options.options if column.options else ())
        ]
        if options and column.kind in CHOICES | {Kind.BOOLEAN}:
            whens = " ".join(f"WHEN {value} THEN {text(label)}" for value, label in options)
            return f"CASE {name} {whens} END"
        if column.kind is Kind.MULTI_SELECT:
            return f"labels({name}, {text(json.dumps(dict(options)))})"
        if column.kind in LOOKUPS and column.targets and not column.nameless:
            return self._related_name(table, column)
        if column.kind is Kind.MONEY:
            return f"formatted_number({name}, 2, {self._symbol(table)})"
        if column.edm_type in EXACT_TEXT:
            return f"formatted_number({name}, {column.scale or 2}, '')"
        if column.edm_type in {"Edm.Int32", "Edm.Int64"}:
            return f"format('%,d', {name})"
        if column.kind is Kind.DATETIME:
            return f"formatted_date({name})"
        return ""

    def _related_name(self, table: Table, column: Column) -> str:
        whens = []
        for target in column.targets:
            other = self.model.by_name.get(target)
            if other and other.set_name and other.primary_name:
                whens.append(
                    f"WHEN {text(target)} THEN (SELECT r.{quoted(other.primary_name)} FROM "  # noqa: S608  - names of the model
                    f"{quoted(target)} r WHERE r.{quoted(other.primary_id)} = "
                    f"{quoted(table.name)}.{quoted(column.property_name)})"
                )
        if not whens:
            return ""
        kind = quoted(column.type_column) if column.is_polymorphic else text(column.targets[0])
        return f"CASE {kind} {' '.join(whens)} END"

    def _symbol(self, table: Table) -> str:
        currency = "_transactioncurrencyid_value"
        if currency not in table.by_property or "transactioncurrency" not in self.model.by_name:
            return "''"
        return (
            "(SELECT c.currencysymbol FROM transactioncurrency c WHERE "  # noqa: S608  - names of the model
            f"c.transactioncurrencyid = {quoted(table.name)}.{currency})"
        )


def _case(value: str, names: Iterable[tuple[str, str]]) -> str:
    whens = " ".join(f"WHEN {text(one)} THEN {text(other)}" for one, other in names)
    return f"CASE {value} {whens} END"


@lru_cache(maxsize=4096)
def _labels(values: bytes, options: bytes) -> str:
    known = json.loads(options)
    return "; ".join(known.get(value, value) for value in values.decode().split(","))


@lru_cache(maxsize=65536)
def _number(value: bytes | None, scale: int, symbol: bytes | None) -> str | None:
    if value is None:
        return None
    return f"{(symbol or b'').decode()}{Decimal(value.decode()):,.{scale}f}"


@lru_cache(maxsize=65536)
def _date(value: bytes | None) -> str | None:
    if value is None:
        return None
    day, _, clock = value.decode().partition("T")
    year, month, date = (int(part) for part in day.split("-"))
    if not clock:
        return f"{month}/{date}/{year}"
    hour = int(clock[:2])
    half = "AM" if hour < 12 else "PM"  # noqa: PLR2004  - noon
    return f"{month}/{date}/{year} {hour % 12 or 12}:{clock[3:5]} {half}"


def _cosmos_etag(version: int) -> str:
    """Return an etag like those of Cosmos DB, whose last part is a time."""
    seconds = version // TICKS - EPOCH_IN_SECONDS
    return f"{zlib.crc32(str(version).encode()):08x}-0000-0200-0000-{seconds:08x}0000"


def _as_bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def add_functions(connection: sqlite3.Connection) -> None:
    """Add SQL functions for formatted values, in the formats of a user in the United States.

    Args:
        connection: Connection to the database.
    """
    connection.create_function(
        "labels",
        2,
        lambda values, options: _labels(_as_bytes(values) or b"", _as_bytes(options) or b"{}"),
    )
    connection.create_function(
        "formatted_number",
        3,
        lambda value, scale, symbol: _number(_as_bytes(value), scale, _as_bytes(symbol)),
    )
    connection.create_function("cosmos_etag", 1, _cosmos_etag)
    connection.create_function("formatted_date", 1, lambda value: _date(_as_bytes(value)))
