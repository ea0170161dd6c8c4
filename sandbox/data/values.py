"""Stored values: how a value in JSON becomes a cell of the database."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.data.model import EXACT_TEXT, OBJECTS
from sandbox.faults.errors import bad_query

if TYPE_CHECKING:
    from sandbox.data.model import Column


def stored(  # noqa: PLR0911  - a rule for each type
    column: Column,
    value: Any,  # noqa: ANN401  - a cell in JSON
) -> Any:  # noqa: ANN401  - a cell in SQLite
    """Return a value as the store has it.

    Args:
        column: The column.
        value: The value in JSON, decimals as `Decimal`.
    """
    if value is None:
        return None
    if column.kind in OBJECTS:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if column.edm_type in EXACT_TEXT:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
        if column.edm_type == "Edm.Decimal" and column.scale is not None:
            digits = -int(number.as_tuple().exponent) if number.is_finite() else 0
            if digits < column.scale:
                return f"{number:.{column.scale}f}"
        return f"{number:f}"
    if column.edm_type == "Edm.DateTimeOffset":
        return stored_moment(str(value))
    if column.edm_type == "Edm.Boolean":
        return int(value)
    if column.edm_type == "Edm.Guid":
        return str(value).lower()
    return value


def stored_moment(text: str) -> str:
    """Return a point in time as the store has it: UTC, without Z and trailing zeros.

    Raises:
        ServiceError: The text is not a date and time.
    """
    text = re.sub(r"T(\d\d:\d\d)(?=Z|[+-])", r"T\1:00", text)
    whole, fraction, zone = re.fullmatch(r"(.{19})(?:\.(\d+))?(.*)", text).groups()  # type: ignore[union-attr]
    try:
        moment = datetime.fromisoformat(whole + (zone or "Z").replace("Z", "+00:00"))
        at = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    except (ValueError, OverflowError):
        message = f"The value '{text}' is not a valid Edm.DateTimeOffset."
        raise bad_query(message) from None
    fraction = (fraction or "").rstrip("0")
    return f"{at}.{fraction}" if fraction else at
