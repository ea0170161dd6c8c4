"""Row types: msgspec types of rows, with JSON text as values, and only selected properties."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

NULL = Raw(b"null")
ALL_KINDS = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
COMBINED = ("anyOf", "oneOf", "allOf")
NULLABLE = {"null"}


def only(column: str, default: UnsetType | None = None) -> msgspec.json.Decoder[Any]:
    """Make a decoder of one column of a row. Other columns are skipped.

    Args:
        column: The column. The decoded object has it as `value`.
        default: The value for rows that do not have the column.
    """
    name = msgspec.field(default=default, name=column)
    return msgspec.json.Decoder(msgspec.defstruct("Only", [("value", Any, name)]))


def kinds(schema: Any) -> frozenset[str]:  # noqa: ANN401 - a catalog may hold anything
    """Return the JSON Schema types that a value may have.

    Args:
        schema: The schema, in any form that is allowed in a catalog.

    Returns:
        The types; all types if the schema does not restrict them.
    """
    if not isinstance(schema, dict):
        return ALL_KINDS
    declared = schema.get("type")
    found = ALL_KINDS
    if declared is not None:
        found = found.intersection([declared] if isinstance(declared, str) else declared)
    if not any(word in schema for word in COMBINED):
        return found
    for word in ("anyOf", "oneOf"):
        if parts := schema.get(word):
            found &= frozenset().union(*map(kinds, parts))
    return found.intersection(*map(kinds, schema.get("allOf") or ()))


def format_of(schema: Any) -> str | None:  # noqa: ANN401 - as above
    """Return the format of a value, also from a combined schema."""
    if not isinstance(schema, dict):
        return None
    parts = [part for word in COMBINED for part in schema.get(word) or ()]
    own: str | None = schema.get("format")
    return own or next(filter(None, map(format_of, parts)), None)


class Field(NamedTuple):
    """A field of a row type.

    Attributes:
        name: The name of the field. Names of columns may not be valid in Python.
        column: The name of the column.
        type: The type of the field.
        key: The name in JSON.
        kinds: The JSON Schema types that values may have.
        is_open: Whether values may hold objects with properties that the schema does not name.
    """

    name: str
    column: str
    type: Any
    key: str
    kinds: frozenset[str]
    is_open: bool

    @property
    def is_text(self) -> bool:
        """Whether values stay JSON text."""
        return self.type is Raw


def fields(
    columns: Mapping[str, Mapping[str, Any]],
    selected: Callable[[tuple[str, ...]], bool],
    keys: Mapping[str, str],
) -> list[Field]:
    """Return the fields of a row, in the order in which the service sends them.

    Args:
        columns: The JSON Schema of each column.
        selected: Tells whether the property at a path of names is selected.
        keys: The names in JSON of columns whose names differ there.
    """
    numbers = {name: number for number, name in enumerate(columns)}
    found = []
    for name in _in_service_order(columns, keys):
        column = columns[name]
        allowed = kinds(column)
        is_open = _is_open(column, allowed)
        kind = Raw if is_open else _type(column, allowed, (name,), selected)
        if allowed - NULLABLE == {"boolean"}:
            # Decoding booleans creates no objects.
            kind = bool | None
        found.append(Field(f"c{numbers[name]}", name, kind, keys.get(name, name), allowed, is_open))
    return found


def row(fields: Iterable[Field], empty: Collection[str] = ()) -> Any:  # noqa: ANN401 - a type
    """Make a row type.

    Args:
        fields: The fields.
        empty: Columns that must be null. Decoding fails for rows with a value in one of them.
    """
    return msgspec.defstruct(
        "Row",
        [
            (name, None, msgspec.field(default=None, name=key))
            if column in empty
            else (name, kind, msgspec.field(default=NULL, name=key))
            for name, column, kind, key, *_ in fields
        ],
        gc=False,
    )


def values_of(fields: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Make a function that returns the values of some fields of a row."""
    if len(fields) > 1:
        return attrgetter(*fields)
    # With one name, attrgetter would return the value itself.
    return lambda row: tuple(getattr(row, name) for name in fields)


def _in_service_order(columns: Collection[str], names: Mapping[str, str]) -> list[str]:
    """Sort columns as the service sends them, annotations before their columns.

    msgspec searches each field from the position of the previous one, so this order is fastest.
    """
    places = {name: place for place, name in enumerate(columns)}

    def rank(name: str) -> tuple[int, bool]:
        own = names.get(name, name).partition("@")[0]
        return places.get(own, places[name]), name not in names

    return sorted(columns, key=rank)


def _type(
    schema: Mapping[str, Any],
    allowed: frozenset[str],
    path: tuple[str, ...],
    selected: Callable[[tuple[str, ...]], bool],
) -> Any:  # noqa: ANN401 - a type made at run time
    """Make the type of a value: JSON text, or an object or array with selected properties only."""
    alone = allowed - NULLABLE
    if alone == {"object"}:
        parts = [
            (
                f"c{i}",
                _type(part, kinds(part), (*path, name), selected) | UnsetType,
                msgspec.field(default=UNSET, name=name),
            )
            for i, (name, part) in enumerate(schema["properties"].items())
            if selected((*path, name))
        ]
        return msgspec.defstruct("Part", parts, gc=False) | None
    if alone == {"array"}:
        items = schema["items"]
        return list[_type(items, kinds(items), path, selected)] | None  # type: ignore[misc]
    return Raw


def _is_open(schema: Mapping[str, Any], allowed: frozenset[str]) -> bool:
    """Tell whether a value may hold an object with properties that the schema does not name."""
    if allowed.isdisjoint({"array", "object"}):
        return False
    alone = allowed - NULLABLE
    if alone == {"object"}:
        properties = schema.get("properties")
        return not properties or any(_is_open(part, kinds(part)) for part in properties.values())
    if alone == {"array"}:
        items = schema.get("items")
        return not isinstance(items, dict) or _is_open(items, kinds(items))
    return True
