"""Opened service: a service with its settings, its tables and its parts, for use as a library."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_dynamics365.closeable import Closeable
from tap_dynamics365.connection import open_service
from tap_dynamics365.errors import MetadataError
from tap_dynamics365.services.describe import describe
from tap_dynamics365.services.registry import complete_url
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tap_dynamics365.settings.names import compare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_dynamics365.services.describe import Described
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.services.part import Part


class OpenedService(Closeable):
    """A service that is opened from settings.

    Args:
        settings: The settings of the tap by name; see docs/settings.md.

    Raises:
        SettingsError: A setting is missing, misspelt, or contradicts another one.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = Settings.from_config(settings, JSON_SCHEMA, complete_url=complete_url)
        self._service = open_service(self._settings)
        self._described: dict[str, Described] = {}

    @property
    def service(self) -> Service:
        """The service, whose client counts requests."""
        return self._service

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self._settings

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

    def forget_parts(self) -> None:
        """Have the parts of the service, such as its companies, listed once more."""
        self.__dict__.pop("_parts", None)

    @cached_property
    def _parts(self) -> Sequence[Part]:
        return self._service.kind.parts(self._service.client, self._settings)

    def _find(self, name: str) -> Described:
        """Return a table by its exact name.

        Raises:
            MetadataError: There is no such table.
        """
        if name not in self._described:
            self.tables(name)
        if name not in self._described:
            near = compare(name, self._described).near
            meant = f" Did you mean {near}?" if near else ""
            msg = f"The service has no table of the name {name!r}.{meant}"
            raise MetadataError(msg)
        return self._described[name]
