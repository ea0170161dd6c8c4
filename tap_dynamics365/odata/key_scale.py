"""Key scale: maps values of replication keys to numbers, to compare and divide them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_dynamics365.odata import query, row_types

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamics365.odata.page import Value

EPOCH = datetime(1, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
DAY = 24 * 60 * 60 * SECOND
LAST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


class Moments:
    """Dates with times, as microseconds since the year 1."""

    @staticmethod
    def position(value: str | int) -> int:
        """Convert a value of the key to a number.

        Raises:
            ValueError: The value is not a date that Python supports: an empty text, a number, a
                year before 1 or after 9999.
        """
        # Python would also read digits without hyphens as a date.
        if not isinstance(value, str) or value[4:5] != "-":
            msg = f"{value!r} is not a date"
            raise ValueError(msg)
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - EPOCH) // timedelta(microseconds=1)

    @staticmethod
    def literal(position: int) -> str:
        """Convert a number to the nearest value of the key."""
        return query.instant(EPOCH + timedelta(microseconds=min(max(position, 0), LAST)))

    @staticmethod
    def edge(position: int) -> int:
        """Round up to a suitable end of a range: a whole second."""
        return position + -position % SECOND


class Days(Moments):
    """Dates without times."""

    @staticmethod
    def literal(position: int) -> str:
        """Convert a number to a value of the key: the day that it falls on."""
        return Moments.literal(position)[: len("2026-01-31")]

    @staticmethod
    def edge(position: int) -> int:
        """Round up to a suitable end of a range: a whole day."""
        return position + -position % DAY


class Numbers:
    """Whole numbers."""

    @staticmethod
    def position(value: str | int) -> int:
        """Convert a value of the key to a number.

        Raises:
            ValueError: The value is not a whole number.
        """
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            msg = f"{value!r} is not a whole number"
            raise ValueError(msg)  # noqa: TRY004 - one exception for all unreadable values
        return int(value)

    @staticmethod
    def literal(position: int) -> int:
        """Return the number, which is a value of the key."""
        return position

    @staticmethod
    def edge(position: int) -> int:
        """Return the number: a range may end anywhere."""
        return position


Scale = type[Moments] | type[Numbers]


def position(scale: Scale, value: object) -> int | None:
    """Convert a row's value of the key to a number.

    Args:
        scale: The scale of the key.
        value: The value that the service sent.

    Returns:
        The number; None for null, and for a value that can't be read.
    """
    if not isinstance(value, (str, int)):
        return None
    try:
        return scale.position(value)
    except (ValueError, OverflowError):
        return None


def least(scale: Scale, start: Value) -> int | None:
    """Return the smallest number that rows may have if they are requested from a value on.

    A service that stores fractions of a second filters by them, but may not send them.

    Args:
        scale: The scale of the key.
        start: The value.

    Returns:
        The number; None if all rows are requested.
    """
    at = position(scale, start)
    return None if at is None else -scale.edge(-at)


def scale(column: Mapping[str, Any]) -> Scale | None:
    """Return the scale of a column.

    Args:
        column: The JSON Schema of the column.

    Returns:
        The scale; None if the column can't be a replication key.
    """
    match row_types.format_of(column):
        case "date-time":
            return Moments
        case "date":
            return Days
        case _:
            kinds = row_types.kinds(column)
            return Numbers if kinds & {"integer", "string"} == {"integer"} else None
