"""The tap as a library: open a service, list its tables, read one."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from tap_dynamics365.connection import open_service
from tap_dynamics365.errors import MetadataError
from tap_dynamics365.services.describe import Described, describe
from tap_dynamics365.services.registry import complete_url
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tap_dynamics365.table_rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from tap_dynamics365.odata.edm import Table as CsdlTable
    from tap_dynamics365.services.part import Part

__all__ = ["Described", "Dynamics365"]


class Dynamics365:
    """A service of Dynamics 365.

    Requests are signed, retried and throttled as in the tap. Errors are
    `tap_dynamics365.errors.Dynamics365Error`, each with one sentence as its `message`.

    Example:
        >>> with Dynamics365({"service_url": url, "refresh_token": token}) as service:
        ...     for row in service.rows("account", ["name", "revenue"]):
        ...         print(row["name"], row["revenue"])

    Args:
        settings: The settings of the tap by name; see docs/settings.md.

    Raises:
        SettingsError: A setting is missing, misspelt, or contradicts another one.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = Settings.from_config(settings, JSON_SCHEMA, complete_url=complete_url)
        self._service = open_service(self._settings)
        self._described: dict[str, Described] = {}

    def __enter__(self) -> Self:
        """Return the service, which is closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the service."""
        self.close()

    def close(self) -> None:
        """Close the connections to the service."""
        self._service.client.close()

    def tables(self, *patterns: str) -> list[Described]:
        """List tables.

        Args:
            *patterns: Names of tables, with `*` and `?` as wildcards. Without a pattern, the
                setting `tables` applies.

        Returns:
            Each table with its columns and its key, and its definition if the service has one.

        Raises:
            MetadataError: No table matches, or the metadata document is not valid.
            ServiceError: The service refused.
            SignInError: The sign-in host gave no token.
        """
        if patterns:
            settings = replace(self._settings, tables=patterns)
            found = list(describe(self._service, settings, source=""))
        else:
            found = list(describe(self._service, self._settings))
        self._described |= {described.table.name: described for described in found}
        return found

    def rows(self, name: str, columns: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        """Read all rows of a table that its filter in the setting `filters` leaves, page by page.

        If the service refuses a column in the middle of the table, the read begins again without
        that column, and rows come twice.

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
        yield from read_rows(
            self._service, self._settings, self._table(name), columns, lambda: self._parts
        )

    @cached_property
    def _parts(self) -> Sequence[Part]:
        return self._service.kind.parts(self._service.client, self._settings)

    def _table(self, name: str) -> CsdlTable:
        if name not in self._described:
            self.tables(name)
        if name not in self._described:
            msg = f"The service has no table of the name {name!r}."
            raise MetadataError(msg)
        return self._described[name].table
