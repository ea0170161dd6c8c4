"""Types compiled for the rows of a table: JSON text at the leaves, only selected parts around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def only(column: str) -> msgspec.json.Decoder[Any]:
    """Make what reads one column of a row, as its `value`, and passes over the others."""
    name = msgspec.field(default=None, name=column)
    return msgspec.json.Decoder(msgspec.defstruct("Only", [("value", Any, name)]))


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
