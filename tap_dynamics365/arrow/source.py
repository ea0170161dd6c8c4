"""Arrow source: a service whose tables are read as Arrow record batches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from tap_dynamics365.arrow.columns import Columns
from tap_dynamics365.arrow.partitions import Partition, plan
from tap_dynamics365.arrow.reading import Batches, PartitionReading, Reading, Readings
from tap_dynamics365.arrow.request import TableRequest, replication
from tap_dynamics365.arrow.table import ArrowTable
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.extract.state import without_nulls
from tap_dynamics365.opened_service import OpenedService

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from tap_dynamics365.arrow.request import Replication
    from tap_dynamics365.arrow.table import Take
    from tap_dynamics365.services.describe import Described
    from tap_dynamics365.settings import Settings

    Planned = tuple[TableRequest, Described, Replication]

MEGABYTE = 1_000_000


class ArrowSource(OpenedService):
    """A service of Dynamics 365 whose tables are read as Arrow record batches.

    Requests are signed, retried, throttled and sent in parallel as in the tap. Errors are
    `tap_dynamics365.errors.Dynamics365Error`, each with one sentence as its `message`.

    Example:
        >>> with ArrowSource({"service_url": url, "refresh_token": token}) as source:
        ...     reading = source.read("account", columns=["accountid", "name", "revenue"])
        ...     table = pyarrow.Table.from_batches(reading, reading.schema)

    Args:
        settings: The settings of the tap by name; see docs/settings.md.

    Raises:
        SettingsError: A setting is missing, misspelt, or contradicts another one.
    """

    def schema(
        self,
        table: str,
        columns: Sequence[str] = (),
        *,
        decimals: Literal["exact", "text"] = "exact",
        text: Sequence[str] = (),
    ) -> pa.Schema:
        """Return the schema of a table, without reading rows.

        Args:
            table: The name of the table.
            columns: The columns, in this order; all columns if empty.
            decimals: As `TableRequest` has it.
            text: As `TableRequest` has it.

        Returns:
            The schema. Columns of the key are not nullable. The metadata of a field has its
            description as `comment`, and that of the schema has the columns of the key, in JSON, as
            `dynamics365.key`.

        Raises:
            MetadataError: There is no such table.
            SettingsError: The table does not have one of the columns.
            ServiceError: The service refused.
            SignInError: The sign-in host gave no token.
        """
        found = self._columns(table)
        return found.arrow_schema(found.chosen(columns, text=text, decimals=decimals))

    def read(  # noqa: PLR0913 - what can be chosen of a table
        self,
        table: str,
        columns: Sequence[str] = (),
        *,
        filter: str = "",  # noqa: A002 - what OData calls it
        method: str | None = None,
        state: Mapping[str, Any] | None = None,
        decimals: Literal["exact", "text"] = "exact",
        text: Sequence[str] = (),
    ) -> Reading:
        """Read a table. No row is requested before the first batch is.

        Args:
            table: The name of the table.
            columns: As `TableRequest` has it, and so are the options below.
            filter: A condition in OData that every row fulfils.
            method: The replication method.
            state: The state to continue from, of a reading or of the tap. None to begin.
            decimals: `exact` or `text`.
            text: Columns whose values are read as text.

        Returns:
            The batches, with their schema and state.

        Raises:
            MetadataError: There is no such table.
            SettingsError: The table can't be read like that, or the state is not a Singer state.
            ServiceError: The service refused.
            SignInError: The sign-in host gave no token.
        """
        request = TableRequest(table, tuple(columns), filter, method, decimals, tuple(text))
        return Reading(self._batches([request], state))

    def read_tables(
        self, requests: Sequence[TableRequest | str], state: Mapping[str, Any] | None = None
    ) -> Readings:
        """Read several tables side by side, as the tap does.

        Args:
            requests: What to read of each table; a name for all of its columns.
            state: The state to continue from, of a reading or of the tap. None to begin.

        Returns:
            The batches of all tables, with their schemas and their state.

        Raises:
            MetadataError: There is no such table.
            SettingsError: A table can't be read like that, or is named twice, or the state is not a
                Singer state.
            ServiceError: The service refused.
            SignInError: The sign-in host gave no token.
        """
        wanted = [TableRequest(each) if isinstance(each, str) else each for each in requests]
        names = [each.table for each in wanted]
        if twice := {name for name in names if names.count(name) > 1}:
            msg = f"The table {min(twice)!r} is named twice."
            raise SettingsError(msg)
        return Readings(self._batches(wanted, state))

    def partitions(  # noqa: PLR0913 - what can be chosen of a table
        self,
        table: str,
        count: int = 8,
        columns: Sequence[str] = (),
        *,
        filter: str = "",  # noqa: A002 - what OData calls it
        decimals: Literal["exact", "text"] = "exact",
        text: Sequence[str] = (),
    ) -> list[Partition]:
        """Divide a table into partitions of about as many rows, for several processes.

        See `partitions` for how, and for what is promised. To plan takes a few requests.

        Args:
            table: The name of the table.
            count: About how many partitions to make. There are fewer if the table has fewer pages.
            columns: As `TableRequest` has it, and so are the options below.
            filter: A condition in OData that every row fulfils.
            decimals: `exact` or `text`.
            text: Columns whose values are read as text.

        Returns:
            The partitions. They can be pickled, and hold no settings. Together, they have all rows;
            a table without a time of creation has one partition.

        Raises:
            MetadataError: There is no such table.
            SettingsError: The table can't be read like that.
            ServiceError: The service refused.
            SignInError: The sign-in host gave no token.
        """
        request = TableRequest(table, tuple(columns), filter, None, decimals, tuple(text))
        described = self._find(table)
        self.schema(table, columns, decimals=decimals, text=text)
        return plan(self._service, self._settings, described, request, count)

    def read_partition(self, partition: Partition) -> PartitionReading:
        """Read a partition, in this process or in another one with the same settings.

        Its description travels with it, so no request for metadata is sent.

        Args:
            partition: One of those that `partitions` has returned.

        Returns:
            The batches. They have no state, because a partition is read as a whole.
        """
        settings = replace(self._settings, start_date=None)
        planned = [(partition.request, partition.described, partition.replication)]
        return PartitionReading(self._made(planned, {}, settings))

    def _batches(
        self, requests: Sequence[TableRequest], state: Mapping[str, Any] | None
    ) -> Batches:
        planned = []
        for request in requests:
            described, kind = self._find(request.table), self._service.kind
            chosen = replication(request, described.table, kind, self._settings)
            planned.append((request, described, chosen))
        return self._made(planned, _checked(state), self._settings)

    def _made(
        self, planned: Sequence[Planned], state: Mapping[str, Any], settings: Settings
    ) -> Batches:
        def make(run: dict[str, Any], take: Take) -> list[ArrowTable]:
            return [
                ArrowTable(
                    self._service,
                    settings,
                    described,
                    request,
                    run,
                    chosen=chosen,
                    every_part=lambda: self._parts,
                    take=take,
                )
                for request, described, chosen in planned
            ]

        return Batches(self._service, settings.read_ahead_mb * MEGABYTE, state, make)

    def _columns(self, table: str) -> Columns:
        return Columns.of(self._find(table), has_names=self._settings.show_name_columns)


def _checked(state: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a state that can be continued from.

    Raises:
        SettingsError: It is not a Singer state.
    """
    if not state:
        return {}
    bookmarks = state.get("bookmarks")
    if not isinstance(bookmarks, dict) or not all(
        entry is None or isinstance(entry, dict) for entry in bookmarks.values()
    ):
        msg = "The state is not a Singer state: it needs bookmarks, with an object for each table."
        raise SettingsError(msg)
    return without_nulls(dict(state))
