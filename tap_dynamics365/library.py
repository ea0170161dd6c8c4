"""The tap as a library: open a service, list its tables, read one.

service = Dynamics365(
{"service_url": "https://yourorg.api.crm.dynamics.com/api/data/v9.2/", "refresh_token": "…"}
)
for table, _ in service.tables("account*"):
print(table.name, [column.name for column in table.columns])
for row in service.rows("account", columns=["name", "revenue"]):
print(row["name"], row["revenue"])
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from tap_dynamics365.connection import connect
from tap_dynamics365.errors import ServiceError, SettingsError
from tap_dynamics365.extract.range import Range
from tap_dynamics365.extract.reader import TableReader
from tap_dynamics365.extract.state import TableState
from tap_dynamics365.extract.table import Table, TableSpec
from tap_dynamics365.extract.version import TableVersion
from tap_dynamics365.odata.csdl import Primitive
from tap_dynamics365.services.describe import Described, describe
from tap_dynamics365.settings import JSON_SCHEMA, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Described", "Dynamics365"]

# A stream is not in the row, but at an address of its own.
STREAM = Primitive("Edm.Stream")

_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode


class Dynamics365:
    """A service of Dynamics 365.

    Requests are signed, retried and throttled as in the tap. Errors are
    `tap_dynamics365.errors.Dynamics365Error`, each with one sentence as its `message`.

    Args:
        settings: The settings of the tap by name; see docs/settings.md.

    Raises:
        SettingsError: A setting is missing, misspelt, or contradicts another one.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = Settings.from_config(settings, JSON_SCHEMA)
        self._service = connect(self._settings)

    def tables(self, *patterns: str) -> list[Described]:
        """List tables.

        Args:
            *patterns: Names of tables, with `*` and `?` as wildcards. Without a pattern, the
                setting `tables` applies.

        Returns:
            Each table with its columns and its key, and its definition if the service tells it.

        Raises:
            MetadataError: No table matches, or the metadata document is not valid.
            ServiceError: The service refused.
            SignInError: The sign-in host gave no token.
        """
        settings = replace(self._settings, tables=patterns) if patterns else self._settings
        return describe(self._service, settings)

    def rows(self, name: str, columns: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        """Read all rows of a table, page by page.

        Args:
            name: The name of the table.
            columns: The columns to read; all columns if empty.

        Yields:
            Each row by column. Numbers with a fraction are `Decimal`, dates are text.

        Raises:
            SettingsError: The table does not have one of the columns.
            MetadataError: There is no such table.
            ServiceError: The service refused.
            SignInError: The sign-in host gave no token.
        """
        ((table, _), *_more) = self.tables(name)
        known = [column.name for column in table.columns if column.type != STREAM]
        wanted = columns or known
        if unknown := [column for column in columns if column not in known]:
            msg = f"The table {table.name!r} has no column {', '.join(map(repr, unknown))}."
            raise SettingsError(msg)
        spec = TableSpec(
            name=table.name,
            entity_set=table.entity_set,
            schema={column: {} for column in known},
            columns=tuple(columns),
            row_key=tuple(table.key),
            stream_key=tuple(table.key),
        )
        state = TableState({}, table.name)
        version = TableVersion(state, is_used=False, started_at=0)
        client = self._service.client
        reader = TableReader(
            Table(spec, state, version, self._settings, client),
            client,
            self._settings,
            on_state=lambda: None,
        )
        reads = reader.reads()
        read = next(reads, None)
        while read is not None:
            try:
                whole = Range()
                while not whole.done:
                    page = read.take_in(reader.pages.fetch(read, whole))
                    for text in page.rows:
                        row = _decode(text)
                        yield {column: row.get(column) for column in wanted}
                    whole.follow(page)
                read = next(reads, None)
            except ServiceError as error:
                # Another way to read the table, if there is one.
                read = reads.throw(error)
