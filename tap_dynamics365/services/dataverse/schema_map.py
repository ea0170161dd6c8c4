"""The service's description of itself, kept from run to run in a file.

It holds all tables, so that the setting `tables` may change, and all that Dataverse says of them.
How fresh it has to be, the setting `create_map` says, in the words of the driver.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tap_dynamics365 import atomic_file as whole_file
from tap_dynamics365.errors import REFUSED, Failure, ServiceError, SettingsError
from tap_dynamics365.http.response import SENSELESS
from tap_dynamics365.odata.csdl import Table  # noqa: TC001 - msgspec looks it up
from tap_dynamics365.odata.metadata_document import read_metadata
from tap_dynamics365.odata.page import METADATA_VERSION
from tap_dynamics365.services.dataverse import definitions
from tap_dynamics365.services.dataverse import retrieve_metadata_changes as changes
from tap_dynamics365.services.dataverse.definitions import Definitions
from tap_dynamics365.services.dataverse.map_changes import apply
from tap_dynamics365.settings import CreateMap

if TYPE_CHECKING:
    from collections.abc import Collection

    from tap_dynamics365.odata.client import Service
    from tap_dynamics365.settings import Settings

logger = logging.getLogger("tap-dynamics365.schema_map")

FORMAT = 1
# There are no secrets in it.
MODE = 0o644

# As msgspec writes the first fields, in order: of a damaged file that is all there is to go by.
BEGINNING = re.compile(rb'\{"format":[0-9]+,"service_url":')

# "Version stamp associated with the client has expired."
# https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes
# One row of a table that every Dataverse has and every user may read, for what comes along.
ONE_ROW = "systemusers?$select=systemuserid&$top=1"


class SchemaMap(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept.

    Attributes:
        format: Of the file.
        service_url: Of which service.
        tables: As `$metadata` has them.
        definitions: What Dataverse says of them beside; nothing of another service.
        version: Dataverse's number of the data model, where it gives no stamp.
    """

    format: int = FORMAT
    service_url: str
    tables: tuple[Table, ...]
    definitions: Definitions = Definitions()
    version: str | int = ""


class _Head(msgspec.Struct):
    """What any version of the file begins with."""

    format: int
    service_url: str


class _OneRow(msgspec.Struct):
    version: str | int = msgspec.field(default="", name=f"@{METADATA_VERSION}")


_whole = msgspec.json.Decoder(SchemaMap)
_head = msgspec.json.Decoder(_Head)


def is_kept(settings: Settings) -> bool:
    """Tell whether there is a file to keep the description in.

    Args:
        settings: The settings.

    Returns:
        Whether there is; if not, each run reads what it needs.
    """
    return settings.schema_map is not None and settings.create_map is not CreateMap.SESSION


def check(service: Service, settings: Settings) -> None:
    """Raise if the description can't be had as the settings say, before anything is read.

    Args:
        service: The service.
        settings: The settings.

    Raises:
        SettingsError: There is no file, and `create_map` says not to make one; or the file is
            another program's.
    """
    if settings.create_map is CreateMap.NO:
        read(service, settings)
    elif is_kept(settings):
        with contextlib.suppress(OSError):
            _content(_path(settings))


def current(
    service: Service, settings: Settings, names: Collection[str] | None = None
) -> Definitions:
    """Tell what Dataverse says of its tables, as fresh as `create_map` wants it.

    Args:
        service: A Dataverse.
        settings: The settings.
        names: Logical names of the tables wanted; all if None.

    Returns:
        The definitions, of other tables too where they are kept.

    Raises:
        MetadataError: What the service says makes no sense.
        ServiceError: The service does not describe itself.
        SettingsError: There is no file, and `create_map` says not to make one; or the file is
            another program's.
    """
    if not is_kept(settings):
        return definitions.read(service, names)
    kept = read(service, settings).definitions
    if not kept.tables:
        msg = (
            "schema_map holds no definitions of tables, for the service told none when it was made."
        )
        raise ServiceError(msg)
    return kept


def read(service: Service, settings: Settings) -> SchemaMap:
    """Read the description of the service from the file, made or made anew where it has to be.

    Args:
        service: The service.
        settings: The settings; see `is_kept`.

    Returns:
        The description.

    Raises:
        MetadataError: The service's `$metadata` makes no sense.
        ServiceError: The service refused.
        SettingsError: There is no file, and `create_map` says not to make one; or the file is
            another program's.
    """
    path = _path(settings)
    try:
        content = _content(path)
    except OSError as error:
        # What is there may be anything: it is not written over either.
        logger.warning("schema_map %s can't be read (%s).", path, whole_file.words(error))
        content, is_writable = None, False
    else:
        is_writable = True
    kept = None
    if content is not None and settings.create_map is not CreateMap.FORCE_NEW:
        kept = _understand(path, content, service.url)
    if settings.create_map is CreateMap.NO:
        if kept is None:
            msg = (
                f"create_map is No, and schema_map {path} holds no description of this service: "
                "set create_map to OnChange for one run to have it made."
            )
            raise SettingsError(msg)
        return kept
    if kept is not None and (
        settings.create_map is CreateMap.NOT_EXIST or not service.is_dataverse
    ):
        # How a service that is no Dataverse has changed can't be told.
        return kept
    fresh = _updated(service, kept) if kept is not None else None
    if fresh is None:
        fresh = _made(service)
    if fresh is not kept and is_writable:
        _save(path, fresh)
    return fresh


def _path(settings: Settings) -> Path:
    """Find the file itself where the path is a link to it: it is replaced whole."""
    return Path(os.path.realpath(os.path.expanduser(settings.schema_map or "")))  # noqa: PTH111


def _content(path: Path) -> bytes | None:
    """Read the file, if there is one.

    Raises:
        OSError: It can't be read.
        SettingsError: Another program wrote it.
    """
    try:
        content = whole_file.read(path).strip()
    except FileNotFoundError:
        return None
    if content and not _is_own(content):
        msg = (
            f"schema_map {path} holds something else than the tap's description of a service, and "
            "is left as it is: name another file."
        )
        raise SettingsError(msg)
    return content


def _is_own(content: bytes) -> bool:
    """Tell whether the tap wrote a file, be it damaged or of another version."""
    if BEGINNING.match(content):
        return True
    try:
        _head.decode(content)
    except SENSELESS:
        return False
    return True


def _understand(path: Path, content: bytes, service_url: str) -> SchemaMap | None:
    """Decode the file, and say why if it is of no use."""
    try:
        head = _head.decode(content)
        if head.format != FORMAT:
            logger.info("schema_map %s was written by another version of the tap.", path)
            return None
        if head.service_url != service_url:
            logger.warning(
                "schema_map %s holds the description of another service (%s): let each have a "
                "file of its own.",
                path,
                head.service_url,
            )
            return None
        return _whole.decode(content)
    except SENSELESS:
        logger.warning("schema_map %s is damaged.", path)
        return None


def _save(path: Path, fresh: SchemaMap) -> None:
    try:
        whole_file.write(path, msgspec.json.encode(fresh), mode=MODE)
    except OSError as error:
        logger.warning(
            "schema_map %s can't be written (%s): the next run has to read the description of the "
            "service again.",
            path,
            whole_file.words(error),
        )


def _made(service: Service) -> SchemaMap:
    """Read the whole description of the service."""
    logger.info("Reading the description of the service.")
    if not service.is_dataverse:
        return SchemaMap(service_url=service.url, tables=tuple(read_metadata(service)))
    # First what tells the moment: a change after it is found by the next run.
    version = _version(service)
    told = definitions.read_if_told(service)
    return SchemaMap(
        service_url=service.url,
        tables=tuple(read_metadata(service)),
        definitions=told,
        version=version,
    )


def _updated(service: Service, kept: SchemaMap) -> SchemaMap | None:
    """Ask for what has changed: the same map if nothing has, None if it has to be made anew."""
    if not kept.definitions.tables:
        # What the service did not tell then it may tell now: rights are no part of the data model.
        return None
    if not kept.definitions.stamp:
        # A service that tells no version says nothing of whether it has changed.
        version = _version(service)
        return kept if version and version == kept.version else None
    try:
        changed = changes.since(service, kept.definitions.stamp)
    except ServiceError as error:
        if error.failure is Failure.TOKEN_EXPIRED:
            logger.info("What has changed since schema_map was written can't be told any more.")
        elif error.failure in REFUSED:
            logger.info("What has changed since schema_map was written can't be told: %s", error)
        else:
            raise
        return None
    except SENSELESS as error:
        logger.info("What has changed since schema_map was written makes no sense: %s.", error)
        return None
    if not changed.tables and not changed.deleted:
        return kept
    logger.info("Of %d tables the description has changed.", len(changed.tables))
    told, tables = apply(changed, kept.definitions, kept.tables)
    if tables is None:
        tables = tuple(read_metadata(service))
    return msgspec.structs.replace(kept, definitions=told, tables=tables)


def _version(service: Service) -> str | int:
    """Ask for the number of the data model; nothing where it is not told."""
    try:
        response = service.read(
            ONE_ROW,
            lambda response: response,
            prefer=f'odata.include-annotations="{METADATA_VERSION}"',
        )
        return msgspec.json.decode(response.content, type=_OneRow).version
    except (ServiceError, *SENSELESS) as error:
        logger.debug("The version of the data model can't be told: %s", error)
        return ""
