"""The tap as a library: open a service, list its tables, read one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_dynamics365.opened_service import OpenedService
from tap_dynamics365.services.describe import Described
from tap_dynamics365.table_rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Described", "Dynamics365"]


class Dynamics365(OpenedService):
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
            self._service, self._settings, self._find(name).table, columns, lambda: self._parts
        )
