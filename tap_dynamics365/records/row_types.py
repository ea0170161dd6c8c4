"""Types compiled for the rows of a table: JSON text at the leaves, only selected parts around."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

NULL = Raw(b"null")


def only(column: str) -> msgspec.json.Decoder[Any]:
    """Make what reads one column of a row, as its `value`, and passes over the others."""
    name = msgspec.field(default=None, name=column)
    return msgspec.json.Decoder(msgspec.defstruct("Only", [("value", Any, name)]))


def row(
    columns: Mapping[str, Mapping[str, Any]],
    fields: Mapping[str, str],
    selected: Callable[[tuple[str, ...]], bool],
    names: Mapping[str, str],
) -> Any:  # noqa: ANN401 - a type made at run time
    """Make the type of a row.

    Args:
        columns: JSON Schema of each column.
        fields: Name of the field that holds a column, by the column's.
        selected: Tells whether the property at a path of names is selected.
        names: What JSON calls those columns that it calls otherwise.
    """
    return msgspec.defstruct(
        "Row",
        [
            (
                fields[name],
                Raw if is_open(columns[name]) else type_of(columns[name], (name,), selected),
                msgspec.field(default=NULL, name=names.get(name, name)),
            )
            for name in _as_sent(columns, names)
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


def type_of(
    schema: Mapping[str, Any], path: tuple[str, ...], selected: Callable[[tuple[str, ...]], bool]
) -> Any:  # noqa: ANN401 - a type made at run time
    """Make the type of a value: JSON text at the leaves, only selected parts around them."""
    if "object" in schema["type"]:
        parts = [
            (
                f"c{i}",
                type_of(part, (*path, name), selected) | UnsetType,
                msgspec.field(default=UNSET, name=name),
            )
            for i, (name, part) in enumerate(schema["properties"].items())
            if selected((*path, name))
        ]
        return msgspec.defstruct("Part", parts, gc=False) | None
    if "array" in schema["type"]:
        return list[type_of(schema["items"], path, selected)] | None  # type: ignore[misc]
    return Raw


def is_open(schema: Mapping[str, Any]) -> bool:
    """Tell whether a value holds an object whose parts the schema does not name."""
    if "object" in schema["type"]:
        properties = schema.get("properties")
        return not properties or any(is_open(part) for part in properties.values())
    return "array" in schema["type"] and is_open(schema["items"])
