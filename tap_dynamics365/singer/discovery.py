"""Discovery: the tables of a service as entries of a Singer catalog."""

from __future__ import annotations

import logging
import textwrap
from typing import TYPE_CHECKING

import msgspec

from tap_dynamics365.odata.json_schema import is_stream
from tap_dynamics365.services.describe import describe
from tap_dynamics365.singer import name_columns
from tap_dynamics365.singer.catalog import catalog_entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from singer_sdk.singerlib import CatalogEntry

    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.services.describe import Described
    from tap_dynamics365.services.kind import Service, ServiceKind
    from tap_dynamics365.settings import Settings

logger = logging.getLogger("tap-dynamics365.discovery")


def discover(service: Service, settings: Settings) -> Iterator[CatalogEntry]:
    """Describe the tables of a service as entries of a Singer catalog.

    Args:
        service: The service.
        settings: Which tables are wanted, how they are replicated, and whether labels and names
            have columns of their own.

    Yields:
        The entry of each table. Tables are described while they are consumed, because all of them
        may not fit into memory.

    Raises:
        MetadataError: The description is not valid, or no table matches.
        ServiceError: The service refused.
        SettingsError: The description is to come from a file that is not there.
    """
    kind, report = service.kind, _Report()
    is_selected = kind.selects_all or bool(settings.tables)
    found = report.on(describe(service, settings))
    yield from make_entries(found, kind, settings, is_selected=is_selected)
    report.log()
    if not is_selected:
        logger.info(
            "No table is selected, because %s has thousands. Select tables by the setting tables, "
            "in the catalog, or with meltano select.",
            kind.name,
        )


def make_entries(
    found: Iterable[Described], kind: ServiceKind, settings: Settings, *, is_selected: bool
) -> Iterator[CatalogEntry]:
    """Make the entries of tables.

    Args:
        found: The tables with their definitions.
        kind: The service.
        settings: How tables are replicated, and whether labels and names have columns of their own.
        is_selected: Whether tables are selected that are not private.

    Yields:
        The entry of each table.
    """
    names = name_columns.Additions() if settings.show_name_columns else None
    for table, definition in found:
        entry = catalog_entry(
            table,
            settings.replication_method,
            definition,
            kind.replication_keys,
            is_selected=is_selected,
        )
        if names is not None and definition is not None:
            names.add(entry, definition)
        yield entry
    if names is not None:
        names.log()


def in_json(entries: Iterable[CatalogEntry]) -> Iterator[str]:
    """Write a catalog as JSON.

    Args:
        entries: The entries of the catalog.

    Yields:
        Lines of the text, which is the SDK's, in a fifth of the time.
    """
    text, comma = '{\n  "streams": [', ""
    for entry in entries:
        yield f"{text}{comma}\n"
        found = msgspec.json.format(msgspec.json.encode(entry.to_dict()), indent=2).decode()
        text, comma = textwrap.indent(found, "    "), ","
    yield f"{text}\n  ]\n}}\n"


class _Report:
    """What the log says of the tables: how many there are, and what is left out."""

    def __init__(self) -> None:
        self._count = 0
        self._private: list[str] = []
        self._streams: list[str] = []
        self._parameters: list[str] = []
        self._without_key: list[str] = []

    def on(self, found: Iterable[Described]) -> Iterator[Described]:
        """Yield tables, and note them."""
        for described in found:
            self._note(described.table)
            yield described

    def _note(self, table: Table) -> None:
        self._count += 1
        if table.private:
            self._private.append(table.name)
        if not table.key:
            self._without_key.append(table.name)
        self._streams += [f"{table.name}.{each.name}" for each in table.columns if is_stream(each)]
        self._parameters += [f"{table.name}.{name}" for name in table.parameters]

    def log(self) -> None:
        logger.info("Discovered %d %s.", self._count, "table" if self._count == 1 else "tables")
        for what, names in (
            (
                "Not selected by default (private, computed when read, or without a data provider)",
                self._private,
            ),
            ("Left out, because rows do not hold their values (type Edm.Stream)", self._streams),
            ("Left out, because they are parameters of queries", self._parameters),
            ("Tables without a key", self._without_key),
        ):
            if names:
                logger.info("%s: %s.", what, ", ".join(names))
