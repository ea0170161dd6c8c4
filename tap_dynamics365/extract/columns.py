"""Which columns of a table are asked for, and what becomes of those that can't be."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.odata import query

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


logger = logging.getLogger("tap-dynamics365.columns")


class Columns:
    """The columns that are asked for.

    Args:
        stream: Name of the stream.
        names: Those selected.
        needed: Those without which rows can't be read: the key, and the replication key.

    Attributes:
        names: Those to ask for; none asks for all of the table's.
    """

    def __init__(self, stream: str, names: Sequence[str], needed: Collection[str]) -> None:
        self._stream = stream
        self._needed = needed
        self.names = names

    def fit(self, address: str, longest: int) -> None:
        """Ask for all columns if the names of those selected are more than an address can hold.

        Args:
            address: What the query is added to.
            longest: The most characters that an address may have.
        """
        if len(address) + len(query.build(self.names)) > longest:
            self.ask_for_all()

    def ask_for_all(self) -> bool:
        """Ask for all columns, since their names make an address too long.

        Returns:
            Whether the address is shorter for it: names were asked for before.
        """
        if not self.names:
            return False
        logger.info(
            "The names of the %d selected columns of %r are too long for an address: all its "
            "columns are asked for, and those selected are sent.",
            len(self.names),
            self._stream,
        )
        self.names = []
        return True

    def drop(self, error: ServiceError) -> bool:
        """Ask no more for a column that has left the service since the catalog was made.

        Args:
            error: What the service said.

        Returns:
            Whether it was one, so that reading can go on without it.

        Raises:
            ServiceError: It can't go on without it.
        """
        column = error.column
        if not column:
            return False
        if column in self._needed:
            msg = (
                f"The column {column!r}, by which the rows of {self._stream!r} are told apart or "
                "replicated, has left the service: make the catalog anew with --discover."
            )
            raise ServiceError(msg) from error
        if column not in self.names:
            return False
        self.names = [name for name in self.names if name != column]
        logger.warning(
            "The column %r of %r has left the service: it is null from here on. Make the catalog "
            "anew with --discover.",
            column,
            self._stream,
        )
        return True
