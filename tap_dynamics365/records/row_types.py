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
# Values of these types alone are taken apart, or are Python's own.
TYPED = ({"array"}, {"boolean"}, {"object"})


def only(column: str) -> msgspec.json.Decoder[Any]:
    """Make what reads one column of a row, as its `value`, and passes over the others."""
    name = msgspec.field(default=None, name=column)
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
        found &= {declared} if isinstance(declared, str) else {*declared}
    for word in ("anyOf", "oneOf"):
        if parts := schema.get(word):
            found &= frozenset().union(*map(kinds, parts))
    return found.intersection(*map(kinds, schema.get("allOf") or ()))


class Field(NamedTuple):
    """A field of the type of a row.

    Attributes:
        name: Its name, for names of columns need not be names in Python.
        column: The column that it holds.
        type: Its type.
        key: What JSON calls it.
    """

    name: str
    column: str
    type: Any
    key: str


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
    return [
        Field(
            f"c{numbers[name]}",
            name,
            _column_type(columns[name], (name,), selected),
            keys.get(name, name),
        )
        for name in _as_sent(columns, keys)
    ]


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
            for name, column, kind, key in fields
        ],
        gc=False,
    )


def values_of(fields: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Make what takes the values of some fields out of a row."""
    if len(fields) > 1:
        return attrgetter(*fields)
    # Of one name, attrgetter would give the value itself.
    return lambda row: tuple(getattr(row, name) for name in fields)


def _as_sent(columns: Collection[str], names: Mapping[str, str]) -> list[str]:
    """Sort columns as the service sends them, annotations ahead of their own.

    A field is looked for from where the one before was found: so each is found at once.
    """
    places = {name: place for place, name in enumerate(columns)}

    def rank(name: str) -> tuple[int, bool]:
        own = names.get(name, name).partition("@")[0]
        return places.get(own, places[name]), name not in names

    return sorted(columns, key=rank)


def _column_type(
    schema: Mapping[str, Any], path: tuple[str, ...], selected: Callable[[tuple[str, ...]], bool]
) -> Any:  # noqa: ANN401 - as above
    if is_open(schema):
        return Raw
    if kinds(schema) - {"null"} == {"boolean"}:
        # Nothing has to be made of such values, for there are but two.
        return bool | None
    return _type(schema, path, selected)


def is_text(schema: Mapping[str, Any]) -> bool:
    """Tell whether the type of a column leaves its values JSON text, whatever they are."""
    return not is_open(schema) and kinds(schema) - {"null"} not in TYPED


def _type(
    schema: Mapping[str, Any], path: tuple[str, ...], selected: Callable[[tuple[str, ...]], bool]
) -> Any:  # noqa: ANN401 - a type made at run time
    """Make the type of a value: JSON text at the leaves, only selected parts around them."""
    found = kinds(schema) - {"null"}
    if found == {"object"}:
        parts = [
            (
                f"c{i}",
                _type(part, (*path, name), selected) | UnsetType,
                msgspec.field(default=UNSET, name=name),
            )
            for i, (name, part) in enumerate(schema["properties"].items())
            if selected((*path, name))
        ]
        return msgspec.defstruct("Part", parts, gc=False) | None
    if found == {"array"}:
        return list[_type(schema["items"], path, selected)] | None  # type: ignore[misc]
    return Raw


def is_open(schema: Mapping[str, Any]) -> bool:
    """Tell whether a value may hold an object whose parts the schema does not name."""
    found = kinds(schema) - {"null"}
    if found == {"object"}:
        properties = schema.get("properties")
        return not properties or any(is_open(part) for part in properties.values())
    if found == {"array"}:
        return not isinstance(schema.get("items"), dict) or is_open(schema["items"])
    return not found.isdisjoint({"array", "object"})
