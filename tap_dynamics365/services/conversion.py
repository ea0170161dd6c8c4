"""Conversion: how values of a column are changed before they are sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from tap_dynamics365.odata.row_types import NULL

if TYPE_CHECKING:
    from tap_dynamics365.settings import Settings

#: Converts values of a column, many at once because that is cheaper. Their JSON texts are given and
#: returned in order; the given sequence itself is returned if none of them changes.
Conversion = Callable[[Sequence[Raw]], Sequence[Raw]]


def conversions(
    conversion: Callable[[Mapping[str, Any], Settings], Conversion | None],
    columns: Mapping[str, Mapping[str, Any]],
    settings: Settings,
) -> dict[str, Conversion]:
    """Find out which columns of a table have values to convert.

    Args:
        conversion: How values of a column of the service are converted.
        columns: The JSON Schema of each column.
        settings: The settings.

    Returns:
        The conversions by column.
    """
    found = {name: conversion(schema, settings) for name, schema in columns.items()}
    return {name: each for name, each in found.items() if each is not None}


def without_null(convert: Conversion) -> Conversion:
    """Restrict a conversion to values that it does not convert to null.

    Args:
        convert: The conversion.
    """

    def restricted(values: Sequence[Raw]) -> Sequence[Raw]:
        pairs = zip(values, convert(values), strict=True)
        return [value if new == NULL else new for value, new in pairs]

    return restricted
