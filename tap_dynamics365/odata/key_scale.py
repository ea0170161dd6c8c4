"""Values of replication keys: their order, the distance between them, and how they are written."""

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
    """Dates and times as numbers to divide: microseconds since the year 1."""

    @staticmethod
    def position(value: str | int) -> int:
        """Turn a value of the key into a number.

        Raises:
            ValueError: It is no date that Python can hold: an empty text, a number, a year before
                1 or after 9999.
        """
        # Digits alone would be read as a date too.
        if not isinstance(value, str) or value[4:5] != "-":
            msg = f"{value!r} is no date"
            raise ValueError(msg)
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - EPOCH) // timedelta(microseconds=1)

    @staticmethod
    def literal(position: int) -> str:
        """Write a number as a value of the key: the nearest that there is."""
        return query.instant(EPOCH + timedelta(microseconds=min(max(position, 0), LAST)))

    @staticmethod
    def edge(position: int) -> int:
        """Round to where a range should end: a whole second."""
        return position + -position % SECOND


class Days(Moments):
    """Dates alone."""

    @staticmethod
    def literal(position: int) -> str:
        """Write a number as a value of the key: the day on which it lies."""
        return Moments.literal(position)[: len("2026-01-31")]

    @staticmethod
    def edge(position: int) -> int:
        """Round to where a range should end: a whole day."""
        return position + -position % DAY


class Numbers:
    """Whole numbers."""

    @staticmethod
    def position(value: str | int) -> int:
        """Turn a value of the key into a number.

        Raises:
            ValueError: It is no whole number.
        """
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            msg = f"{value!r} is no whole number"
            raise ValueError(msg)  # noqa: TRY004 - one kind of error for all that can't be read
        return int(value)

    @staticmethod
    def literal(position: int) -> int:
        """Write a number as a value of the key."""
        return position

    @staticmethod
    def edge(position: int) -> int:
        """Round to where a range should end: anywhere."""
        return position


Scale = type[Moments] | type[Numbers]


def position(scale: Scale, value: object) -> int | None:
    """Turn what a row has for the key into a number.

    Args:
        scale: How the key's values are reckoned with.
        value: Whatever the service sent.

    Returns:
        The number; None for null, and for what can't be read as a value of the key.
    """
    if not isinstance(value, (str, int)):
        return None
    try:
        return scale.position(value)
    except (ValueError, OverflowError):
        return None


def least(scale: Scale, start: Value) -> int | None:
    """Tell the smallest number that rows can show which were asked for from a value on.

    Args:
        scale: How the key's values are reckoned with.
        start: The value.

    Returns:
        The number; None if rows were asked for from the first on. A service that keeps fractions
        of a second filters by them, but may leave them out of what it shows.
    """
    at = position(scale, start)
    return None if at is None else -scale.edge(-at)


def scale(column: Mapping[str, Any]) -> Scale | None:
    """Tell how a column's values are reckoned with.

    Args:
        column: Its JSON Schema.

    Returns:
        The scale, or None if its values can't be a bookmark.
    """
    match row_types.format_of(column):
        case "date-time":
            return Moments
        case "date":
            return Days
        case _:
            kinds = row_types.kinds(column)
            return Numbers if kinds & {"integer", "string"} == {"integer"} else None
