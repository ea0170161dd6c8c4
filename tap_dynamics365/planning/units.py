"""Units: bytes, durations and shares of a plan, as people read them."""

from __future__ import annotations

#: What stands for an unknown number.
UNKNOWN = "?"


def size(count: int | None) -> str:
    """Write a number of bytes in a unit of SI.

    Args:
        count: The number; None if it is unknown.
    """
    if count is None:
        return UNKNOWN
    number, units = float(count), ["B", "kB", "MB", "GB"]
    while number >= 1000 and len(units) > 1:  # noqa: PLR2004 - a kilobyte
        number, units = number / 1000, units[1:]
    return f"{number:.0f} {units[0]}" if units[0] == "B" else f"{number:.1f} {units[0]}"


def duration(seconds: float | None) -> str:
    """Write a duration in seconds, minutes or hours.

    Args:
        seconds: The seconds; None if they are unknown.
    """
    if seconds is None:
        return UNKNOWN
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def share(number: float) -> str:
    """Write a share in percent.

    Args:
        number: The share; 1.0 is all.
    """
    least = 0.001
    return f"{number:.1%}" if number >= least else f"less than {least:.1%}"
