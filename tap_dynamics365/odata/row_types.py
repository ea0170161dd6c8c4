"""Types compiled for the rows of a table: JSON text at the leaves, only selected parts around."""

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
    """Make what reads one column of a row, as its `value`, and passes over the others.

    Args:
        column: The column.
        default: The value in rows that do not have it.
    """
    name = msgspec.field(default=default, name=column)
    return msgspec.json.Decoder(msgspec.defstruct("Only", [("value", Any, name)]))


def kinds(schema: Any) -> frozenset[str]:  # noqa: ANN401 - whatever stands in a catalog
    """Tell which types of JSON Schema a value may have.

    Args:
        schema: The schema, in any of the forms that a catalog may have it in.

    Returns:
        The types; all where the schema does not restrict them.
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
    """Tell the format of a value, from wherever in its schema it stands."""
    if not isinstance(schema, dict):
        return None
    parts = [part for word in COMBINED for part in schema.get(word) or ()]
    own: str | None = schema.get("format")
    return own or next(filter(None, map(format_of, parts)), None)


class Field(NamedTuple):
    """A field of the type of a row.

    Attributes:
        name: Its name, for names of columns need not be names in Python.
        column: The column that it holds.
        type: Its type.
        key: What JSON calls it.
        kinds: The types of JSON Schema that its values may have.
        is_open: Whether they may hold objects whose parts the schema does not name.
    """

    name: str
    column: str
    type: Any
    key: str
    kinds: frozenset[str]
    is_open: bool

    @property
    def is_text(self) -> bool:
        """Whether any value of it is read as the JSON text that it is."""
        return self.type is Raw


def fields(
    columns: Mapping[str, Mapping[str, Any]],
    selected: Callable[[tuple[str, ...]], bool],
    keys: Mapping[str, str],
) -> list[Field]:
    """Tell the fields of a row, sorted as the service sends them.

    Args:
        columns: JSON Schema of each column.
        selected: Tells whether the property at a path of names is selected.
        keys: What JSON calls those columns that it calls otherwise.
    """
    numbers = {name: number for number, name in enumerate(columns)}
    found = []
    for name in _in_service_order(columns, keys):
        column = columns[name]
        allowed = kinds(column)
        is_open = _is_open(column, allowed)
        kind = Raw if is_open else _type(column, allowed, (name,), selected)
        if allowed - NULLABLE == {"boolean"}:
            # Nothing has to be made of such values, for there are but two.
            kind = bool | None
        found.append(Field(f"c{numbers[name]}", name, kind, keys.get(name, name), allowed, is_open))
    return found


def row(fields: Iterable[Field], empty: Collection[str] = ()) -> Any:  # noqa: ANN401 - a type
    """Make the type of a row.

    Args:
        fields: Its fields.
        empty: Columns that are null; reading fails at a row in which one of them is not.
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
    """Make what takes the values of some fields out of a row."""
    if len(fields) > 1:
        return attrgetter(*fields)
    # Of one name, attrgetter would give the value itself.
    return lambda row: tuple(getattr(row, name) for name in fields)


def _in_service_order(columns: Collection[str], names: Mapping[str, str]) -> list[str]:
    """Sort columns as the service sends them, annotations ahead of their own.

    A field is looked for from where the one before was found: so each is found at once.
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
    """Make the type of a value: JSON text at the leaves, only selected parts around them."""
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
    """Tell whether a value may hold an object whose parts the schema does not name."""
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
