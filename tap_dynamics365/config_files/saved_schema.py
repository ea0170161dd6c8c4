"""Saved schema: the tables and columns that a catalog or a schema map of a project has."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from tap_dynamics365.config_files import catalog_json, change
from tap_dynamics365.errors import InputError
from tap_dynamics365.services import schema_map
from tap_dynamics365.singer import schema_changes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings
    from tap_dynamics365.singer.schema_changes import TableChange, Types


class SavedSchema(NamedTuple):
    """What a file knows of a service.

    Attributes:
        name: The name of the file.
        types: The types of the columns, by table.
    """

    name: str
    types: Types

    def changes(self, tables: Iterable[Table]) -> list[TableChange]:
        """Return what has changed since the file was written.

        Args:
            tables: The tables of the service.
        """
        return schema_changes.compare(self.types, schema_changes.of_tables(tables))


def read(path: Path, service: Service, settings: Settings) -> SavedSchema:
    """Read a catalog or a schema map.

    Args:
        path: The file.
        service: The service.
        settings: The settings.

    Returns:
        What it knows of the tables of the service.

    Raises:
        InputError: The file does not exist, can't be read, or is neither.
    """
    content = change.read(path)
    if content is None:
        msg = f"The file {path} does not exist."
        raise InputError(msg)
    kept = schema_map.peek(content, service.client.url)
    if kept is not None:
        kind, defined = service.kind, kept.definitions.tables
        tables = [
            kind.describe_values(kind.refine(table, defined.get(table.name)), settings)
            for table in kind.arrange(kept.tables)
        ]
        return SavedSchema(path.name, schema_changes.of_tables(tables))
    try:
        document = msgspec.json.decode(change.decode(content))
        types = schema_changes.of_catalog(document)
    except (ValueError, LookupError, TypeError, AttributeError):
        msg = f"The file {path} is neither a catalog nor a schema map of this service."
        raise InputError(msg) from None
    described = service.kind.extra_streams
    return SavedSchema(
        path.name, {name: columns for name, columns in types.items() if name not in described}
    )


def of_project(folder: Path, service: Service, settings: Settings) -> SavedSchema | None:
    """Read what the files of a project know of the tables of the service.

    Args:
        folder: The folder of the project.
        service: The service.
        settings: The settings.

    Returns:
        What the catalog has; without a catalog, the schema map. None if there is neither, or it
        can't be read.
    """
    paths = [folder / catalog_json.NAME]
    if schema_map.is_kept(settings):
        paths.append(schema_map.file_of(settings))
    for path in paths:
        if path.is_file():
            try:
                return read(path, service, settings)
            except InputError:
                continue
    return None
