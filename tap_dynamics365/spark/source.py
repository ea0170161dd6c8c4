"""Source: the service as the driver of Spark uses it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import requests

from tap_dynamics365.arrow import ArrowSource, TableRequest
from tap_dynamics365.arrow.changes import Changes
from tap_dynamics365.errors import Failure, ServiceError
from tap_dynamics365.extract.read import LOG_BASED
from tap_dynamics365.extract.reader import TableReader
from tap_dynamics365.extract.replication import possible_replication_keys
from tap_dynamics365.http.server_time import Clock
from tap_dynamics365.odata.edm import Primitive
from tap_dynamics365.services.table_schema import json_schema
from tap_dynamics365.spark.filters import FilterColumn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamics365.arrow import Described
    from tap_dynamics365.settings import Grant

# Services take 52 requests of a user at a time. A few are left for other programs.
REQUESTS_OF_A_USER = 48

MOMENT = Primitive("Edm.DateTimeOffset")


class SparkSource(ArrowSource):
    """A service of Dynamics 365, with what sign-in, filters and streams need.

    Args:
        settings: The settings of the tap by name.
        described: A table that is known already, so that its metadata is not read.

    Raises:
        SettingsError: A setting is missing, misspelt, or contradicts another one.
    """

    def __init__(self, settings: Mapping[str, Any], described: Described | None = None) -> None:
        super().__init__(settings)
        if described is not None:
            self.know(described)

    def know(self, described: Described) -> None:
        """Take in a table that another process has described.

        Args:
            described: The table.
        """
        self._described[described.table.name] = described

    def described(self, name: str) -> Described:
        """Describe a table.

        Args:
            name: The name of the table.

        Raises:
            MetadataError: There is no such table.
            ServiceError: The service refused.
            SignInError: The sign-in host gave no token.
        """
        return self._find(name)

    @property
    def grant(self) -> Grant | None:
        """The way to sign in."""
        return self._settings.grant

    @property
    def lookback_seconds(self) -> int:
        """Seconds after which a changed row is visible for sure, as the settings say."""
        return self._settings.lookback_seconds

    @property
    def most_requests(self) -> int:
        """How many requests the tasks of a user may send at a time."""
        return int(min(REQUESTS_OF_A_USER, self._service.client.dialect.most_requests))

    def access_token(self) -> str:
        """Sign in if necessary, and return the access token.

        Raises:
            SignInError: The sign-in host gave no token.
        """
        client = self._service.client
        client.sign_in()
        # Signed and not sent, which works for each grant that has a token.
        signed = client.signer(requests.Request("GET", client.url).prepare())
        return signed.headers["Authorization"].removeprefix("Bearer ")

    def companies(self, request: TableRequest) -> list[str]:
        """List the companies that have rows of their own now; empty if there are none.

        Args:
            request: The table and its columns.

        Returns:
            The id of each.

        Raises:
            MetadataError: There is no such table.
            ServiceError: The service refused.
            SignInError: The sign-in host gave no token.
        """
        self.forget_parts()
        (table,) = self._batches([request], None).tables
        parts = (part.reader.table.spec.part for part in table.parts.all)
        return [part.id for part in parts if part is not None]

    def filter_columns(self, name: str) -> Mapping[str, FilterColumn]:
        """Return how the columns of a table can be compared, by name.

        Args:
            name: The name of the table.

        Raises:
            MetadataError: There is no such table.
            ServiceError: The service refused.
        """
        table, definition = self._find(name)
        asked = self._asked(name)
        dialect = self._service.client.dialect
        schemas = json_schema(table, definition)["properties"]
        arrow = self.schema(name)
        return {
            column.name: FilterColumn(
                name=column.name,
                type=arrow.field(column.name).type,
                edm_type=column.type.name if isinstance(column.type, Primitive) else "",
                is_null=dialect.without_value(column.name, schemas[column.name]),
                has_functions=dialect.has_text_functions,
            )
            for column in table.columns
            if column.name in asked
        }

    def changed_at(self, name: str) -> str | None:
        """Return the column with the time of the last change; None if the table has none.

        Args:
            name: The name of the table.

        Raises:
            MetadataError: There is no such table.
            ServiceError: The service refused.
        """
        table = self._find(name).table
        asked = self._asked(name)
        moments = {each.name for each in table.columns if each.type == MOMENT} & asked
        keys = possible_replication_keys(table, self._service.kind.replication_keys)
        return next((key for key in keys if key in moments), None)

    def _asked(self, name: str) -> set[str]:
        """Return the columns of a table that the service has. The tap adds others."""
        (table,) = self._batches([TableRequest(name)], None).tables
        return {*table.spec.columns}

    def newest(self, name: str, column: str) -> tuple[datetime | None, datetime]:
        """Ask for the time of the last change of a table.

        Args:
            name: The name of the table.
            column: The column with the time of the last change.

        Returns:
            The greatest value, and the time of the service. The first is None if there are no rows,
            and the time of the service too if the service can't be asked for it.

        Raises:
            ServiceError: The service refused.
            SignInError: The sign-in host gave no token.
        """
        client = self._service.client
        # It keeps the time of its first answer.
        client.clock = Clock()
        (table,) = self._batches([TableRequest(name, (column,))], None).tables
        found = []
        for part in table.parts.all:
            spec = replace(part.reader.table.spec, replication_key=column)
            reader = TableReader.without_state(spec, client, self._settings)
            try:
                value = reader.pages.fetch_max_key()
            except ServiceError as error:
                if error.failure is not Failure.NEEDS_PARENT:
                    raise
                # The rows can only be read through those of another table, parent by parent.
                return client.clock(), client.clock()
            found += [datetime.fromisoformat(value)] if isinstance(value, str) else []
        return max(found, default=None), client.clock()

    def changes(self, request: TableRequest) -> Changes:
        """Return what the service has tracked of a table.

        Args:
            request: The table and its columns.

        Raises:
            MetadataError: There is no such table.
            SettingsError: The service does not track changes, or the table has not these columns.
            ServiceError: The service refused.
        """
        tracked = replace(request, method=LOG_BASED)
        (table,) = self._batches([tracked], None).tables
        return Changes(table, self._service.client, self._settings)
