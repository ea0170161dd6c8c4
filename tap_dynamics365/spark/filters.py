"""Filters: the conditions of a query that the service can check, in OData.

Spark checks each row once more. So a condition may leave more rows than that of Spark, and never
fewer: a service ignores the case of texts, and may round moments.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tap_dynamics365.odata.query import instant, literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# A longer list of values could make the URL too long.
MOST_VALUES = 50
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Characters that a service may take for a wildcard, or for a set of characters.
_WILDCARDS = re.compile(r"[\[\]^*?]")
_ORDERS = {
    "GreaterThan": "gt",
    "GreaterThanOrEqual": "ge",
    "LessThan": "lt",
    "LessThanOrEqual": "le",
}
_FUNCTIONS = {
    "StringStartsWith": "startswith",
    "StringEndsWith": "endswith",
    "StringContains": "contains",
}


@dataclass(frozen=True, kw_only=True)
class FilterColumn:
    """How a column can be compared.

    Attributes:
        name: The name.
        type: The type in Arrow.
        edm_type: The type in OData; empty for an enumeration or a type with several values.
        is_null: The condition for rows without a value; None if there are none.
        has_functions: Whether the service searches for parts of texts.
    """

    name: str
    type: pa.DataType
    edm_type: str
    is_null: str | None
    has_functions: bool = True

    @property
    def is_not_null(self) -> str:
        """The condition for rows with a value; empty if that is not the negation of `eq null`."""
        return f"{self.name} ne null" if self.is_null == f"{self.name} eq null" else ""


def conditions(filters: Iterable[Any], columns: Mapping[str, FilterColumn]) -> list[str]:
    """Write those filters that a service can check.

    Args:
        filters: The filters of `pyspark.sql.datasource`, which all must be true.
        columns: The columns of the table by name.

    Returns:
        A condition in OData for each filter that the service can check.
    """
    return [written for each in filters if (written := _condition(each, columns))]


def _condition(given: Any, columns: Mapping[str, FilterColumn]) -> str:  # noqa: ANN401 - a filter
    """Write a filter; empty if the service can't check it.

    The classes are told by name, because PySpark has them only from 4.1 on.
    """
    name = type(given).__name__
    inner = given.child if name == "Not" else given
    column = columns.get(".".join(inner.attribute)) if hasattr(inner, "attribute") else None
    if column is None:
        return ""
    match name:
        case "Not":
            written: str | None = _negated(inner, column)
        case "IsNotNull":
            written = column.is_not_null
        case "IsNull":
            written = column.is_null
        case "EqualNullSafe" if given.value is None:
            written = column.is_null
        case "EqualTo" | "EqualNullSafe":
            written = _equal(column, [given.value])
        case "In":
            written = _equal(column, given.value)
        case _ if name in _ORDERS:
            written = _order(column, _ORDERS[name], given.value)
        case _ if name in _FUNCTIONS:
            written = _function(column, _FUNCTIONS[name], given.value)
        case _:
            written = None
    return written or ""


def _negated(inner: Any, column: FilterColumn) -> str:  # noqa: ANN401 - a filter
    """Write the negation of a filter. That of a text would lose rows with another case."""
    match type(inner).__name__:
        case "IsNull":
            return column.is_not_null
        case "IsNotNull":
            return column.is_null or ""
        case "EqualTo" if _is_number(column.type):
            value = _literal(inner.value, column)
            return value and f"{column.name} ne {value}"
        case _:
            return ""


def _equal(column: FilterColumn, values: Iterable[Any]) -> str:
    """Write that a column has one of some values."""
    known = [value for value in values if value is not None]
    if not 0 < len(known) <= MOST_VALUES:
        return ""
    terms = [" and ".join(_within(column, value)) for value in known]
    if not all(terms):
        return ""
    return terms[0] if len(terms) == 1 else f"({' or '.join(f'({term})' for term in terms)})"


def _within(column: FilterColumn, value: Any) -> Iterator[str]:  # noqa: ANN401 - of the column's type
    """Yield the bounds of a value: itself, or the seconds around a moment."""
    if isinstance(value, datetime):
        yield from filter(None, (_order(column, "ge", value), _order(column, "le", value)))
    elif text := _literal(value, column):
        yield f"{column.name} eq {text}"


def _order(column: FilterColumn, operator: str, value: Any) -> str:  # noqa: ANN401 - as above
    """Write a comparison. Services sort texts in another way, and do not sort boolean values."""
    if isinstance(value, datetime):
        rounded = value.replace(microsecond=0)
        if operator in {"lt", "le"} and rounded != value:
            rounded += timedelta(seconds=1)
        value, operator = rounded, {"lt": "le", "gt": "ge"}.get(operator, operator)
    elif isinstance(value, (str, bool)):
        return ""
    text = _literal(value, column)
    return text and f"{column.name} {operator} {text}"


def _function(column: FilterColumn, function: str, value: Any) -> str:  # noqa: ANN401 - as above
    """Write a condition for a part of a text."""
    is_text = column.has_functions and column.edm_type == "Edm.String"
    if not is_text or not isinstance(value, str) or not value:
        return ""
    return "" if _WILDCARDS.search(value) else f"{function}({column.name},{literal(value)})"


@singledispatch
def _literal(value: object, column: FilterColumn) -> str:  # noqa: ARG001 - as the functions below
    """Write a value as the service expects it for a column; empty if that is not known."""
    return ""


@_literal.register
def _(value: bool, column: FilterColumn) -> str:  # noqa: FBT001 - a value
    return str(value).lower() if pa.types.is_boolean(column.type) else ""


@_literal.register
def _(value: int | float | Decimal, column: FilterColumn) -> str:
    """Write a number without an exponent, which services do not understand everywhere."""
    if not _is_number(column.type) or not math.isfinite(value):
        return ""
    return format(Decimal(str(value)), "f")


@_literal.register
def _(value: datetime, column: FilterColumn) -> str:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return instant(aware) if pa.types.is_timestamp(column.type) else ""


@_literal.register
def _(value: date, column: FilterColumn) -> str:
    return value.isoformat() if column.edm_type == "Edm.Date" else ""


@_literal.register
def _(value: str, column: FilterColumn) -> str:
    if column.edm_type == "Edm.Guid":
        return value if _GUID.fullmatch(value) else ""
    is_text = column.edm_type == "Edm.String" and not _WILDCARDS.search(value)
    return literal(value) if is_text else ""


def _is_number(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(test(kind) for test in tests)
