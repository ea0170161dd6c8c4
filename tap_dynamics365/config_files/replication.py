"""Replication of a table, as a person chooses it."""

from __future__ import annotations

from typing import NamedTuple

from tap_dynamics365.errors import InputError
from tap_dynamics365.extract.read import FULL_TABLE, INCREMENTAL, LOG_BASED

METHODS = (FULL_TABLE, INCREMENTAL, LOG_BASED)


class Replication(NamedTuple):
    """The replication of a table.

    Attributes:
        method: The replication method.
        key: The replication key; empty for the one that discovery finds.
    """

    method: str
    key: str = ""


def parse(text: str) -> tuple[str, Replication]:
    """Read the replication of a table from a text.

    Args:
        text: `table=METHOD` or `table=METHOD:key`. The method is case-insensitive.

    Returns:
        The table, and its replication.

    Raises:
        InputError: The text has another form.
    """
    table, equals, rest = text.rpartition("=")
    method, colon, key = rest.partition(":")
    if not table or not equals or method.upper() not in METHODS or (colon and not key):
        msg = (
            f"{text!r} is no replication: write TABLE=METHOD or TABLE=METHOD:KEY, where METHOD is "
            f"{', '.join(METHODS[:-1])} or {METHODS[-1]}."
        )
        raise InputError(msg)
    return table, Replication(method.upper(), key)
