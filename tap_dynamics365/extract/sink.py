"""Sinks: where the engine writes the rows of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tap_dynamics365.errors import ServiceError
    from tap_dynamics365.extract.page import Page
    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.extract.reader import TableReader
    from tap_dynamics365.odata.page import RawPage


class TableSink(Protocol):
    """Where the rows of one table go."""

    @property
    def name(self) -> str:
        """The name of the table."""

    @property
    def reader(self) -> TableReader:
        """Reads the table."""

    def decode(self, read: TableRead, page: RawPage) -> Page[Any]:
        """Decode a page, in any thread.

        Args:
            read: The read that the page belongs to.
            page: The page.

        Raises:
            ServiceError: The page can't be decoded.
        """

    def write(self, page: Page[Any]) -> None:
        """Write a page, in the main thread.

        Args:
            page: The next page in order.

        Raises:
            UnsortedError: Its rows are not in order. None of them was written.
        """

    def finish(self, error: ServiceError | None = None) -> None:
        """End a table that was read to its end, skipped, or failed.

        Args:
            error: Why the table failed, if it did.
        """


class Checkpoints(Protocol):
    """Saves the state when it is due, also while no rows arrive."""

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the state is due to be saved; None if there is nothing to save."""

    def write_if_due(self) -> None:
        """Save the state if it is due."""
