"""Columns: which columns of a table are requested, and what to do if one is missing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.odata import query
from tap_dynamics365.settings import filters

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


logger = logging.getLogger("tap-dynamics365.columns")


class Columns:
    """The columns to request.

    Args:
        stream: The name of the stream.
        names: The selected columns.
        needed: The columns without which rows can't be read: the key, and the replication key.
        row_filter: The user's condition, which names columns too.

    Attributes:
        names: The columns to request; empty to request all columns of the table.
    """

    def __init__(
        self, stream: str, names: Sequence[str], needed: Collection[str], row_filter: str = ""
    ) -> None:
        self._stream = stream
        self._needed = needed
        self._row_filter = row_filter
        self.names = names

    def fit(self, address: str, longest: int) -> None:
        """Request all columns if the names of the selected columns are too long for a URL.

        Args:
            address: The URL without its query.
            longest: The most characters that a URL may have.
        """
        if len(address) + len(query.build(self.names, row_filter=self._row_filter)) > longest:
            self.ask_for_all()

    def ask_for_all(self) -> bool:
        """Request all columns, because their names make the URL too long.

        Returns:
            Whether that makes the URL shorter.
        """
        if not self.names:
            return False
        logger.info(
            "The names of the %d selected columns of %r are too long for a URL. All columns are "
            "requested, and the selected columns are sent.",
            len(self.names),
            self._stream,
        )
        self.names = []
        return True

    def drop(self, error: ServiceError) -> bool:
        """Stop requesting a column that was removed from the service.

        Args:
            error: The refusal of the service.

        Returns:
            Whether a column was removed, so that reading can continue without it.

        Raises:
            ServiceError: Reading can't continue without the column.
        """
        column = error.column
        if not column:
            return False
        if column in filters.columns(self._row_filter):
            msg = (
                f"The filter of {self._stream!r} in the setting filters names {column!r}, which is "
                "not a column of the service: correct the filter."
            )
            raise ServiceError(msg) from error
        if column in self._needed:
            msg = (
                f"The column {column!r}, which is a key or the replication key of "
                f"{self._stream!r}, has left the service: run --discover again."
            )
            raise ServiceError(msg) from error
        if column not in self.names:
            return False
        self.names = [name for name in self.names if name != column]
        logger.warning(
            "The column %r of %r has left the service. It is null from now on. Run --discover "
            "again.",
            column,
            self._stream,
        )
        return True
