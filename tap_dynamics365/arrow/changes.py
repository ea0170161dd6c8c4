"""Changes: what a service has tracked since a delta token that the caller keeps.

`ArrowSource.read` keeps the token in its state, and reads the whole table once it has expired.
Here, the caller decides what happens then, and may read the changes since one token many times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.extract.read import DELETED_AT
from tap_dynamics365.extract.reader import TableReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_dynamics365.arrow.table import ArrowTable
    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.odata.page import RawPage
    from tap_dynamics365.settings import Settings


Key = tuple[Any, ...]


class Token(NamedTuple):
    """A delta token.

    Attributes:
        text: The token.
        has_changes: Whether there are rows or changes before it.
    """

    text: str
    has_changes: bool


class Changes:
    """The changes of one table.

    Args:
        table: The table, with the method `LOG_BASED`.
        client: The client of the service.
        settings: The settings.
    """

    def __init__(self, table: ArrowTable, client: ODataClient, settings: Settings) -> None:
        self._table = table
        self._client = client
        self._settings = settings

    @property
    def schema(self) -> pa.Schema:
        """The schema of the batches."""
        return self._table.schema

    def token(self, since: str | None = None) -> Token:
        """Get the current delta token, with a read of ids.

        Args:
            since: A delta token. Only what has changed since then is read.

        Returns:
            The token. A change that is made meanwhile is among the changes since then.

        Raises:
            ServiceError: The service refused, or gave no token. The failure is `TOKEN_EXPIRED` if
                it no longer has the changes, and `NOT_TRACKED` if it does not track the table.
        """
        reader = self._reader()
        read = reader.table.read(tracked=since is None, since=since, ids_only=True)
        has_changes = False
        for page in self._pages(reader, read):
            has_changes = has_changes or bool(page.rows)
        if read.delta_token is None:
            msg = f"The service gave no delta link after the last page of {self._table.name!r}."
            raise ServiceError(msg)
        return Token(read.delta_token, has_changes)

    def batches(self, since: str) -> Iterator[pa.RecordBatch]:
        """Read what has changed since a delta token.

        A row that changes once more while its changes are read comes once, in its earlier state.
        The later one is among the changes since a token that was got before this read.

        Args:
            since: The token.

        Yields:
            Rows in their current state, and the keys of deleted rows with the time at which they
            were found to be deleted. A batch for each page.

        Raises:
            ServiceError: As `token`.
        """
        reader = self._reader()
        read = reader.table.read(since=since)
        decoder, seen = self._table.decoder(), set[Key]()
        for raw in self._pages(reader, read):
            for piece in decoder.changes(raw).pieces:
                yield self._unseen(piece.content, seen)

    def _unseen(self, batch: pa.RecordBatch, seen: set[Key]) -> pa.RecordBatch:
        """Leave out what a page before had as a row, and note the rows of this one."""
        columns = [batch.column(name).to_pylist() for name in self._table.key]
        keys = [*zip(*columns, strict=True)]
        are_new = [key not in seen for key in keys]
        are_there = batch.column(DELETED_AT).is_null().to_pylist()
        seen.update(key for key, is_there in zip(keys, are_there, strict=True) if is_there)
        return batch if all(are_new) else batch.filter(pa.array(are_new))

    def _reader(self) -> TableReader:
        return TableReader.without_state(self._table.spec, self._client, self._settings)

    @staticmethod
    def _pages(reader: TableReader, read: TableRead) -> Iterator[RawPage]:
        """Yield the pages of a read, one after the other, as change tracking requires it."""
        reader.pages.fit_columns()
        for place in read.first_ranges():
            while not place.done:
                try:
                    page = reader.pages.fetch(read, place)
                except ServiceError as error:
                    # Without the columns that the service no longer has, or with all of them.
                    if place.has_begun or not reader.pages.adjust_columns(error):
                        raise
                    continue
                read.accept(page)
                yield page
                place.follow(page)
