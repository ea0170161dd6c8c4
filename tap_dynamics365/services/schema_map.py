"""Schema map: a file that caches the description of a service between runs.

It holds all tables, so that the setting `tables` may change, and their complete definitions. The
setting `create_map` decides when the file is refreshed. Its values are those of the driver.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tap_dynamics365 import atomic_file
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.http.response import DECODE_ERRORS
from tap_dynamics365.odata.edm import Table  # noqa: TC001 - msgspec looks it up
from tap_dynamics365.services.table_definition import Definitions, Description
from tap_dynamics365.settings import CreateMap

if TYPE_CHECKING:
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings

logger = logging.getLogger("tap-dynamics365.schema_map")

FORMAT = 4
# The permissions of the file. It holds no secrets.
MODE = 0o644

# The first fields, as msgspec writes them. They identify the file even if the rest is damaged.
BEGINNING = re.compile(rb'\{"format":[0-9]+,"service_url":')


class SchemaMap(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the file.

    Attributes:
        format: The version of the file format.
        service_url: The service root.
        api_routes: The further APIs that the settings named.
        tables: The tables of the metadata documents.
        definitions: The table definitions; empty if the service does not provide them.
        version: The version of the data model, if the definitions have no stamp.
    """

    format: int = FORMAT
    service_url: str
    tables: tuple[Table, ...]
    definitions: Definitions = Definitions()
    version: str | int = ""
    api_routes: tuple[str, ...] = ()


class _Head(msgspec.Struct):
    """The fields that every version of the file begins with."""

    format: int
    service_url: str


_whole = msgspec.json.Decoder(SchemaMap)
_head = msgspec.json.Decoder(_Head)


def is_kept(settings: Settings) -> bool:
    """Tell whether the description is kept in a file. If not, each run reads what it needs.

    Args:
        settings: The settings.
    """
    return settings.schema_map is not None and settings.create_map is not CreateMap.SESSION


def check(service: Service, settings: Settings) -> None:
    """Raise if the settings and the file don't fit together, before anything is read.

    Args:
        service: The service.
        settings: The settings.

    Raises:
        SettingsError: The file does not exist and `create_map` forbids to create it, or the file
            belongs to another program.
    """
    if settings.create_map is CreateMap.NO:
        read(service, settings)
    elif is_kept(settings):
        with contextlib.suppress(OSError):
            _content(file_of(settings))


def read(service: Service, settings: Settings) -> SchemaMap:
    """Read the description of the service from the file. Create or refresh the file if necessary.

    Args:
        service: The service.
        settings: The settings. `is_kept` must be true for them.

    Returns:
        The description.

    Raises:
        MetadataError: The service's `$metadata` is not valid.
        ServiceError: The service refused.
        SettingsError: The file does not exist and `create_map` forbids to create it, or the file
            belongs to another program.
    """
    path = file_of(settings)
    try:
        content = _content(path)
    except OSError as error:
        # The file may be anything, so it is not overwritten either.
        logger.warning("schema_map %s can't be read (%s).", path, atomic_file.error_text(error))
        content, is_writable = None, False
    else:
        is_writable = True
    kept = None
    if content is not None and settings.create_map is not CreateMap.FORCE_NEW:
        kept = _understand(path, content, service.client.url, settings.api_routes)
    if settings.create_map is CreateMap.NO:
        if kept is None:
            msg = (
                f"create_map is No, and schema_map {path} holds no description of this service: "
                "set create_map to OnChange for one run to create it."
            )
            raise SettingsError(msg)
        return kept
    if kept is not None and settings.create_map is CreateMap.NOT_EXIST:
        return kept
    fresh = _refreshed(service, kept) if kept is not None else None
    if fresh is None:
        logger.info("Reading the description of the service.")
        description = service.kind.describe(service.client, settings)
        fresh = _from(service.client.url, settings.api_routes, description)
    if fresh is not kept and is_writable:
        _save(path, fresh)
    return fresh


def peek(content: bytes, service_url: str) -> SchemaMap | None:
    """Decode the content of a file as it is, whatever `create_map` says.

    Args:
        content: The content of the file.
        service_url: The service root.

    Returns:
        The description; None if the content is no schema map of this service.
    """
    try:
        found = _whole.decode(content)
    except DECODE_ERRORS:
        return None
    return found if (found.format, found.service_url) == (FORMAT, service_url) else None


def file_of(settings: Settings) -> Path:
    """Return the path of the file. Links are resolved, because it is replaced as a whole.

    Args:
        settings: The settings. `is_kept` must be true for them.
    """
    return Path(os.path.realpath(os.path.expanduser(settings.schema_map or "")))  # noqa: PTH111


def _content(path: Path) -> bytes | None:
    """Read the file; return None if it does not exist.

    Raises:
        OSError: The file can't be read.
        SettingsError: Another program wrote it.
    """
    try:
        content = atomic_file.read(path).strip()
    except FileNotFoundError:
        return None
    if content and not _is_own(content):
        msg = (
            f"schema_map {path} is not a description that the tap wrote. It is left unchanged: "
            "name another file."
        )
        raise SettingsError(msg)
    return content


def _is_own(content: bytes) -> bool:
    """Tell whether the tap wrote a file, even if it is damaged or of another version."""
    if BEGINNING.match(content):
        return True
    try:
        _head.decode(content)
    except DECODE_ERRORS:
        return False
    return True


def _understand(
    path: Path, content: bytes, service_url: str, api_routes: tuple[str, ...]
) -> SchemaMap | None:
    """Decode the file. If it can't be used, log why and return None."""
    try:
        head = _head.decode(content)
        if head.format != FORMAT:
            logger.info("schema_map %s was written by another version of the tap.", path)
            return None
        if head.service_url != service_url:
            logger.warning(
                "schema_map %s holds the description of another service (%s): use one file for "
                "each service.",
                path,
                head.service_url,
            )
            return None
        kept = _whole.decode(content)
    except DECODE_ERRORS:
        logger.warning("schema_map %s is damaged.", path)
        return None
    if {*kept.api_routes} != {*api_routes}:
        logger.info("schema_map %s holds the description of other api_routes.", path)
        return None
    return kept


def _save(path: Path, fresh: SchemaMap) -> None:
    try:
        atomic_file.write(path, msgspec.json.encode(fresh), mode=MODE)
    except OSError as error:
        logger.warning(
            "schema_map %s can't be written (%s): the next run has to read the description of the "
            "service again.",
            path,
            atomic_file.error_text(error),
        )


def _from(service_url: str, api_routes: tuple[str, ...], description: Description) -> SchemaMap:
    return SchemaMap(
        service_url=service_url,
        api_routes=api_routes,
        tables=description.tables,
        definitions=description.definitions,
        version=description.version,
    )


def _refreshed(service: Service, kept: SchemaMap) -> SchemaMap | None:
    """Read changes: return the same map if nothing has changed, None if a full read is needed."""
    if service.kind.describe_changes is None:
        # Such a service does not say whether it has changed.
        return kept
    known = Description(tables=kept.tables, definitions=kept.definitions, version=kept.version)
    changed = service.kind.describe_changes(service.client, known)
    if changed is None:
        return None
    return kept if changed is known else _from(kept.service_url, kept.api_routes, changed)
