"""Opened service: the service and its tables, for the settings that it was opened with."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING

from tap_dynamics365.config_files import saved_schema
from tap_dynamics365.configure.table_list import TableList
from tap_dynamics365.connection import open_service
from tap_dynamics365.singer import process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings


@dataclass
class Opened:
    """A service that is opened once, and its tables, which are read once.

    When the settings change, the session takes another one. What still reads the old one then
    changes nothing of the new one.

    Attributes:
        tables: The tables; None if they were not read.
    """

    tables: TableList | None = None
    _service: Service | None = None
    # Held while the service is asked. Whoever holds it never waits for the lock of the session.
    _asking: RLock = field(default_factory=RLock, repr=False)

    def service(self, settings: Settings) -> Service:
        """Open the service.

        Args:
            settings: The settings.

        Raises:
            Dynamics365Error: It can't be opened.
        """
        with self._asking:
            if self._service is None:
                process.hide_secrets()
                self._service = open_service(settings)
            return self._service

    def has_opened(self, service: Service) -> bool:
        """Tell whether a service is the one that was opened.

        Args:
            service: The service.
        """
        return self._service is service

    def read(
        self, settings: Settings, project: Path, begin: Callable[[TableList], None]
    ) -> TableList:
        """Read the tables, and what has changed since a file of the project was written.

        Args:
            settings: The settings.
            project: The folder of the project.
            begin: Is called once with the tables that were read, before anybody has them.

        Raises:
            Dynamics365Error: The service can't be opened, or its tables can't be read.
        """
        with self._asking:
            if self.tables is None:
                service = self.service(settings)
                # Reading the tables may refresh the schema map.
                saved = saved_schema.of_project(project, service, settings)
                found = TableList.read(service, settings)
                if saved is not None:
                    found.compare(saved, settings)
                begin(found)
                self.tables = found
            return self.tables
