"""Broken rows: a row whose code fails, fails the page that it is on.

A document's dimension line with a value that was deleted fails the page of the documents that
`$expand` reaches it from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sandbox.business_central import errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.data.model import Table


class Breakage(msgspec.Struct, forbid_unknown_fields=True):
    """How a row is broken.

    Attributes:
        key: The company's id or name, and the values of the row's key.
        message: Error message.
        status: Status of the response.
        code: Error code.
        count: Number of requests that fail. None lets all fail.
    """

    key: list[str]
    message: str = "Dimension Value does not exist."
    status: int = 400
    code: str = "Application_DialogException"
    count: int | None = None


class Breakages:
    """The broken rows."""

    def __init__(self) -> None:
        self._by_row: dict[tuple[str, ...], Breakage] = {}

    def order(self, table: Table, company: str, breakage: Breakage) -> None:
        """Break a row.

        Args:
            table: The entity set.
            company: Id of the company.
            breakage: How the row is broken.
        """
        self._by_row[table.name, company, *breakage.key[1:]] = breakage

    def clear(self) -> None:
        """Mend all rows."""
        self._by_row.clear()

    def check(self, table: Table, company: str, keys: Iterable[tuple[str, ...]]) -> None:
        """Fail if one of these rows is broken.

        Args:
            table: The entity set.
            company: Id of the company.
            keys: Keys of the rows.

        Raises:
            ServiceError: A row is broken.
        """
        if not self._by_row:
            return
        for key in keys:
            found = self._by_row.get((table.name, company, *key))
            if found is None or found.count == 0:
                continue
            if found.count is not None:
                found.count -= 1
            raise errors.CentralError(found.status, found.code, found.message)
