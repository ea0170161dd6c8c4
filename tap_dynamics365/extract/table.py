"""Table: what to extract of one table, and how far it was extracted."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tap_dynamics365.errors import CatalogError, ServiceError
from tap_dynamics365.extract.bookmark import Bookmark
from tap_dynamics365.extract.notices import Notices
from tap_dynamics365.extract.read import FULL_TABLE, INCREMENTAL, LOG_BASED, TableRead
from tap_dynamics365.extract.tally import Tally
from tap_dynamics365.odata import key_scale
from tap_dynamics365.odata.keyset import Keyset, is_sortable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_dynamics365.extract.state import TableState
    from tap_dynamics365.extract.version import TableVersion
    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.odata.key_scale import Scale
    from tap_dynamics365.odata.page import Value
    from tap_dynamics365.services.coverage import Coverage
    from tap_dynamics365.services.parent_path import ParentPath
    from tap_dynamics365.services.part import Part
    from tap_dynamics365.settings import Settings


# Hexadecimal digits of a digest: enough to tell the filters, or the columns, of one table apart.
DIGEST_LENGTH = 16


@dataclass(frozen=True, kw_only=True)
class TableSpec:
    """What to extract of one table.

    Attributes:
        name: The name of the table.
        entity_set: The name of its rows in the catalog.
        place: Returns the URL of the rows of an entity set, in a part of the service.
        schema: The JSON Schema of each column.
        columns: The columns to ask for, under the names that rows have for them.
        annotations: The annotations that columns are made of.
        row_key: The columns by which the service identifies and sorts rows.
        stream_key: The columns by which the target identifies rows.
        method: `INCREMENTAL`, `FULL_TABLE` or `LOG_BASED`.
        replication_key: The column whose value grows with each change, if there is one.
        is_virtual: Whether a data provider fetches the rows from another source.
        partition: The column that names a row's partition, if rows have one.
        row_filter: The user's condition, which every row fulfils; empty for all rows.
        coverage: Which part of the service's rows is read; None if they are not divided.
        part: The part of the service, such as a company, whose rows are read; None if the table has
            no parts.
        parent_id: The column that the tap fills with the id of the parent; empty if there is none.
        changed_at: The column that the tap fills with the time of the last change of the parent;
            empty if there is none.
        may_be_sorted: Whether the settings say that the table has an index on its replication key.
        is_bound: Whether the rows can only be read through those of a parent.
        parents: Reads the ways to the rows through those of parents.
    """

    name: str
    entity_set: str
    place: Callable[[str, Part | None], str]
    schema: Mapping[str, Any]
    columns: tuple[str, ...]
    annotations: tuple[str, ...] = ()
    row_key: tuple[str, ...] = ()
    stream_key: tuple[str, ...] = ()
    method: str = FULL_TABLE
    replication_key: str | None = None
    is_virtual: bool = False
    partition: str = ""
    row_filter: str = ""
    coverage: Coverage | None = None
    part: Part | None = None
    parent_id: str = ""
    changed_at: str = ""
    may_be_sorted: bool = False
    is_bound: bool = False
    parents: Callable[[], Sequence[ParentPath]] = tuple

    def in_part(self, part: Part, columns: Sequence[str]) -> TableSpec:
        """Return what to extract of one part of the table.

        Args:
            part: The part.
            columns: The columns of the table for the values of the part.
        """
        values = dict(zip(columns, part.values.values(), strict=True))
        return replace(self, part=replace(part, values=values))

    def url_of(self, entity_set: str) -> str:
        """Return the URL of the rows of an entity set, in the same part of the service.

        Args:
            entity_set: The entity set, as the catalog has it.
        """
        return self.place(entity_set, self.part)

    @property
    def url(self) -> str:
        """The URL of the rows."""
        return self.url_of(self.entity_set)

    @property
    def is_part(self) -> bool:
        """Whether the rows are those of one part of the table."""
        return self.part is not None

    @property
    def label(self) -> str:
        """The name of the table in messages, with its part."""
        return self.name if self.part is None else f"{self.name} of {self.part.name}"

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of the keys, and the replication key, that the service sends."""
        added = {*(self.part.values if self.part else ()), self.parent_id, self.changed_at}
        replication_key = [self.replication_key] if self.replication_key else []
        names = dict.fromkeys((*self.row_key, *self.stream_key, *replication_key))
        return tuple(name for name in names if name not in added)

    @property
    def scale(self) -> Scale | None:
        """How values of the replication key become numbers; None if there is no such key."""
        return key_scale.scale(self.schema.get(self.replication_key or "", {}))

    @property
    def filter_digest(self) -> str | None:
        """A short text that changes with the filter; None without a filter."""
        return _digest(self.row_filter) if self.row_filter else None

    @property
    def columns_digest(self) -> str:
        """A short text that changes with the selected columns."""
        return _digest("\n".join(sorted(self.columns)))


def _option(text: str) -> tuple[str, str, str]:
    """Split an option of a query into its name, in lower case, and its value."""
    name, equals, value = text.partition("=")
    return unquote(name).lower(), equals, value


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


class Table:
    """One table, its state and its bookmark.

    Args:
        spec: What to extract.
        state: The state of the table; kept as an attribute.
        version: The version that records carry; kept as an attribute.
        settings: Where the first run begins, and how far an incremental run looks back.
        client: The client of the service.

    Attributes:
        name: The name in messages, with the part.
        rows_sent: How many rows were sent.
        tally: How far the extraction is. Parts of a table share it.
        is_incomplete: Whether rows could not be read, so that deleted ones can't be told.
        logger: The logger of the table.
        notices: Warnings that are logged once.
        at_end: What to change in the state once the table was read to its end.
    """

    def __init__(  # noqa: PLR0913 - what the extraction of a table depends on
        self,
        spec: TableSpec,
        state: TableState,
        version: TableVersion,
        settings: Settings,
        client: ODataClient,
        *,
        tally: Tally | None = None,
    ) -> None:
        self.spec = spec
        self.name = spec.label
        self.state = state
        self.version = version
        self.tally = tally or Tally(spec.name)
        self.rows_sent = 0
        self.is_incomplete = False
        self.logger = logging.getLogger(f"tap-dynamics365.{spec.name}")
        self.notices = Notices(self.logger)
        self.at_end: Mapping[str, Any] = MappingProxyType({})
        self._settings = settings
        self._client = client

    @cached_property
    def scale(self) -> Scale | None:
        """How values of the replication key become numbers; None if there is no such key."""
        return self.spec.scale

    @cached_property
    def bookmark(self) -> Bookmark | None:
        """How far the table was read by its replication key; None if it has none."""
        if self.spec.replication_key is None or self.scale is None:
            return None
        return Bookmark(
            self.name,
            self.state,
            self.spec.replication_key,
            self.scale,
            lookback=self._settings.lookback_seconds,
            start_date=self._settings.start_date,
            dialect=self._client.dialect,
            clock=self._client.clock,
        )

    def sent(self, rows: int) -> None:
        """Count rows that were sent.

        Args:
            rows: How many.
        """
        self.rows_sent += rows
        self.tally.rows += rows

    @property
    def is_sorted(self) -> bool:
        """Whether the service can sort the rows by the replication key, as far as is known."""
        key, dialect = self.spec.replication_key, self._client.dialect
        is_indexed = dialect.sorted_keys is None or key in dialect.sorted_keys
        return self.spec.may_be_sorted or is_indexed or not self.is_stamped

    @property
    def is_stamped(self) -> bool:
        """Whether the replication key is the time at which the service stored a row.

        Only then the time before a read can be its bookmark. A number is no time, and other dates
        may be earlier or later than the change of the row.
        """
        bookmark, keys = self.bookmark, self._client.dialect.key_columns
        is_date = bookmark is not None and bookmark.is_date
        return is_date and self.spec.replication_key in keys and not self.spec.is_virtual

    @property
    def keeps_links(self) -> bool:
        """Whether a link to a next page stays valid, so that the next run can follow it."""
        return self._client.dialect.keeps_links

    @property
    def late_seconds(self) -> int:
        """Seconds after which a changed row is visible for sure."""
        return self._client.dialect.late_seconds

    def leads_here(self, link: str) -> bool:
        """Tell whether a link from an earlier run leads to rows of this table.

        Args:
            link: The link.
        """
        try:
            there = urlsplit(self._client.resolve(link))
        except ServiceError:
            return False
        own = self._client.url_options
        options = {name: value for name, _, value in map(_option, there.query.split("&"))}
        same_options = all(options.get(name.lower(), value) == value for name, value in own.items())
        return unquote(there.path) == unquote(urlsplit(self.spec.url).path) and same_options

    def read(self, **options: Any) -> TableRead:
        """Make a read of the table's rows, whose records carry its version.

        Args:
            **options: The attributes of the read.
        """
        number, row_filter = self.version.number, self.spec.row_filter
        return TableRead(version=number, row_filter=row_filter, **options)

    def sorted_read(self, start: Value) -> TableRead:
        """Make a read of the rows in the order of the replication key.

        The bookmark is held back for a virtual table, whose provider may ignore the order, and for
        a table whose rows were seen out of order.

        Args:
            start: The smallest value of the replication key to ask for; None for all rows.
        """
        key = self.spec.replication_key
        least = None if self.scale is None else key_scale.least(self.scale, start)
        is_unique = key is not None and key in self._client.dialect.unique_keys
        keyset = self._keyset(key, (key,) if key and is_unique else self.spec.row_key)
        read = self.read(sorted_by=key, order=keyset.order, start=start, reached=least)
        if self.spec.is_virtual or (self.bookmark is not None and self.bookmark.is_unsorted):
            return replace(read, holds_back=True)
        return replace(read, keyset=keyset, scale=self.scale)

    @property
    def condition_without_key(self) -> str | None:
        """The condition for rows without a value of the replication key, if there can be any."""
        key = self.spec.replication_key or ""
        return self._client.dialect.without_value(key, self.spec.schema.get(key, {}))

    def without_date(self, column: str) -> str | None:
        """Return the condition for rows without a value of a date; None if there are none.

        Args:
            column: The column.
        """
        schema = {"type": ["string", "null"], "format": "date-time"}
        return self._client.dialect.without_value(column, schema)

    def full_read(self) -> TableRead:
        """Make a read of all rows, in the order of their key where links count rows.

        Without a key, rows are sorted by all columns that may be sorted by.
        """
        dialect = self._client.dialect
        if not dialect.replaces_links:
            return self.read()
        others = [name for name, column in self.spec.schema.items() if is_sortable(column)]
        keyset = self._keyset(None, self.spec.row_key or others)
        return self.read(
            order=keyset.order,
            keyset=keyset if keyset.columns else None,
            is_divided=dialect.group_column in keyset.columns[:1],
        )

    def _keyset(self, key: str | None, ids: Sequence[str]) -> Keyset:
        return Keyset(
            key,
            ids,
            self.spec.schema,
            self.spec.partition,
            replaces_links=self._client.dialect.replaces_links,
        )


def check_filter(name: str, method: str, row_filter: str) -> None:
    """Raise if a table can't be replicated with a filter.

    Dataverse refuses `$filter` together with change tracking:
    https://learn.microsoft.com/power-apps/developer/data-platform/use-change-tracking-synchronize-data-external-systems

    Args:
        name: The name of the table.
        method: The replication method.
        row_filter: The filter; empty if there is none.

    Raises:
        CatalogError: The method is `LOG_BASED`, and there is a filter.
    """
    if row_filter and method == LOG_BASED:
        msg = (
            f"{name!r} can't be replicated {LOG_BASED} with the filter that the setting filters "
            "has for it, because change tracking does not support filters: choose "
            f"{INCREMENTAL} for it in the catalog, or remove the filter."
        )
        raise CatalogError(msg)


def check(name: str, schema: Mapping[str, Any], method: str, replication_key: object) -> None:
    """Raise if a table can't be replicated as the catalog wants it.

    Args:
        name: The name of the table.
        schema: The JSON Schema of each column.
        method: The replication method.
        replication_key: The replication key.

    Raises:
        CatalogError: The method is unknown, or the replication key is no column that can be one.
    """
    wish = f"The catalog wants {name!r} replicated {method}"
    if method not in {FULL_TABLE, INCREMENTAL, LOG_BASED}:
        msg = f"{wish}: the tap knows {INCREMENTAL}, {LOG_BASED} and {FULL_TABLE}."
        raise CatalogError(msg)
    if replication_key is not None and not isinstance(replication_key, str):
        msg = f"{wish} by a replication key that is not a column name: write it as a string."
        raise CatalogError(msg)
    if method == FULL_TABLE or (method == LOG_BASED and not replication_key):
        return
    able = [column for column in schema if key_scale.scale(schema[column])]
    if replication_key not in able:
        flaw = (
            "whose values can't be a bookmark"
            if replication_key in schema
            else "which is not a column of it"
        )
        by = f"by {replication_key!r}, {flaw}" if replication_key else "by no key"
        names = ", ".join(able) or "none"
        msg = f"{wish} {by}. Columns that can be its replication key: {names}."
        raise CatalogError(msg)
