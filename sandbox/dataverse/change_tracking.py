"""Change tracking: delta links, and the changes since a delta token.

The source is Microsoft Learn, "Use change tracking to synchronize data with external systems". A
delta token is a version number and a time. Changed rows are returned whole and sorted by version,
deleted rows after them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from sandbox.data.model import Column, Kind
from sandbox.data.store import quoted
from sandbox.dataverse.errors import not_tracked
from sandbox.faults.errors import ServiceError, bad_query, expired_version_stamp
from sandbox.query import bodies, paging, query_options
from sandbox.query.option_values import options

if TYPE_CHECKING:
    from sandbox.data.clock import Clock
    from sandbox.data.model import Table
    from sandbox.query.pages import Pages
    from sandbox.query.preferences import Preferences

REFUSED = ("filter", "orderby", "expand", "top")
TIME = "%m/%d/%Y %H:%M:%S"
# Columns of the cookie of a page of changes.
DELETED = Column("deleted", Kind.INTEGER, "deleted", "Edm.Int32")
VERSION = Column("versionnumber", Kind.BIGINT, "versionnumber", "Edm.Int64")


class Stamp(NamedTuple):
    """A decoded delta token."""

    version: int
    time: datetime

    def __str__(self) -> str:
        """Return the token as it stands in a link."""
        text = quote(f"{self.version}!{self.time.strftime(TIME)}", safe="")
        return re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), text)


def read(text: str) -> Stamp:
    """Parse a decoded `$deltatoken`.

    Raises:
        ServiceError: The token is invalid.
    """
    version, _, time = text.partition("!")
    try:
        return Stamp(int(version), datetime.strptime(time, TIME).replace(tzinfo=UTC))
    except ValueError:
        message = f"The delta token '{text}' is not valid."
        raise bad_query(message) from None


class ChangeTracking:
    """Answers queries for changes.

    Args:
        pages: Answers queries for rows.
        clock: Clock of the service.

    Attributes:
        days: Lifetime of a token in days.
        delta_links: Whether the last page has a delta link.
        delta_links_beside_annotations: Whether the last page has a delta link even if annotations
            are requested. Version 8.2 had none then.
        expired_version: Version number below which all tokens have expired.
        expired_versions: Version numbers below which the tokens of one table have expired, by
            table.
    """

    def __init__(self, pages: Pages, clock: Clock) -> None:
        self.pages = pages
        self.store = pages.store
        self.clock = clock
        self.days = 7
        self.delta_links = True
        self.delta_links_beside_annotations = True
        self.expired_version = 0
        self.expired_versions: dict[str, int] = {}

    def expire(self) -> None:
        """Expire all tokens."""
        self.expired_version = self._expiry()

    def table_changed(self, table: Table) -> None:
        """Expire the tokens of a table whose metadata changes."""
        self.expired_versions[table.name] = self._expiry()

    def _expiry(self) -> int:
        """Return a version number above that of all tokens so far, and not above later ones."""
        if self.store.open:
            message = "Tokens cannot expire while a transaction is open."
            raise bad_query(message)
        return self.store.next_version()

    def _links(self, preferences: Preferences) -> bool:
        """Return whether the last page has a delta link."""
        beside = self.delta_links_beside_annotations or not preferences.annotations
        return self.delta_links and beside

    def _check(self, table: Table, raw: str) -> None:
        given = options(raw)
        for name in REFUSED:
            if f"${name}" in given:
                message = (
                    f'The "{name}" query parameter isn\'t supported when Change Tracking is '
                    "enabled."
                )
                raise bad_query(message)
        if table.intersect and not table.change_tracking:
            message = (
                f"Changes cannot be retrieved for intersect entity {table.name} since both "
                "related entities are not enabled for change tracking."
            )
            raise ServiceError(400, "0x80072492", message)
        if not table.change_tracking or not table.version_column:
            raise not_tracked(table.name)

    def _stamp(self, skip_token: str) -> str:
        """Return the token of the next delta: the moment when the first page was served."""
        began = re.search(r'trackingversion="(\d+)"', skip_token)
        version = int(began[1]) if began else self.store.settled_version
        return str(Stamp(version, self.clock.now()))

    def everything(
        self, table: Table, root: str, raw: str, preferences: Preferences, largest: int
    ) -> bytes:
        """Return a page of all rows; the last page has the first delta link."""
        self._check(table, raw)
        stamp = self._stamp(options(raw).get("$skiptoken", ""))
        stamp = stamp if self._links(preferences) else ""
        return self.pages.page(table, root, raw, preferences, largest, stamp=stamp)

    def _since(self, table: Table, query: query_options.Query) -> Stamp:
        since = read(query.delta_token)
        too_old = since.time < self.clock.now() - timedelta(days=self.days)
        expired = max(self.expired_version, self.expired_versions.get(table.name, 0))
        if too_old or since.version < expired:
            raise expired_version_stamp()
        return since

    def count(self, table: Table, raw: str) -> int:
        """Return the number of changes since a token."""
        self._check(table, raw)
        since = self._since(table, query_options.read(raw, self.pages.model, table))
        sql, parameters = self._changes(table, "''", since.version, "")
        return int(self.store.select(f"SELECT count(*) FROM ({sql})", parameters)[0][0])  # noqa: S608  - made of the model's names

    def changes(
        self, table: Table, root: str, raw: str, preferences: Preferences, largest: int
    ) -> bytes:
        """Return a page of the changes since a token."""
        self._check(table, raw)
        query = query_options.read(raw, self.pages.model, table)
        since = self._since(table, query)
        stamp = self._stamp(query.skip_token)
        number, place = 1, (0, since.version)
        if query.skip_token:
            cookie = paging.read(query.skip_token, (DELETED, VERSION))
            number, place = cookie.page, (int(cookie.last[0][1]), int(cookie.last[1][1]))
        wish = preferences.page_size
        size = wish if wish is not None and 0 < wish <= largest else largest
        row = self.pages.renderer.row(table, query.select, preferences.annotations)
        sql, parameters = self._changes(table, row, since.version, root)
        found = self.store.select(
            f"SELECT entry, deleted, version FROM ({sql}) WHERE (deleted, version) > (?, ?) "  # noqa: S608  - made of the model's names
            f"ORDER BY deleted, version LIMIT {size + 1}",
            (*parameters, *place),
        )
        more, found = len(found) > size, found[:size]
        path = (
            f"{root}{quote(table.set_name)}?{query.text}&"
            if query.text
            else (f"{root}{quote(table.set_name)}?")
        )
        names = bodies.selected(query.named)
        head, tail = [bodies.context(root, f"{table.set_name}{names}/$delta")], ""
        if more:
            token = paging.token(
                number, (DELETED, VERSION), found[0][1:], found[-1][1:], _version(stamp)
            )
            tail = self.pages.onward(f"{path}$deltatoken={since}&", token)
        elif self._links(preferences):
            head.append(f'"@odata.deltaLink":"{path}$deltatoken={stamp}"')
        return bodies.page(head, (entry[0] for entry in found), tail)

    def _changes(
        self, table: Table, row: str, version: int, root: str
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL query for all changes after a version, with its parameters."""
        names = table.union_of or (table.name,)
        gone = f'{{"@odata.context":"{root}$metadata#{table.set_name}/$deletedEntity","id":"'
        sql = (
            f"SELECT {row} AS entry, 0 AS deleted, versionnumber AS version "  # noqa: S608  - made of the model's names
            f"FROM {quoted(table.name)} WHERE versionnumber > ? UNION ALL "
            'SELECT ? || id || \'","reason":"deleted"}\', 1, version FROM [@deleted] '
            f"WHERE version > ? AND name IN ({', '.join('?' * len(names))})"
        )
        return sql, (version, gone, version, *names)


def _version(stamp: str) -> str:
    return stamp.partition("%21")[0]
