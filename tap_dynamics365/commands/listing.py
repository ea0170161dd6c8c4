"""Listing: the tables of a service, the columns of one table, and its first rows."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import islice
from textwrap import wrap
from types import NoneType
from typing import TYPE_CHECKING, Any

import click
import msgspec

from tap_dynamics365.cell import cell
from tap_dynamics365.connection import open_service
from tap_dynamics365.errors import MetadataError, NoMatchError, ServiceError
from tap_dynamics365.library import Dynamics365
from tap_dynamics365.planning.page_sizes import page_sizes
from tap_dynamics365.planning.since import rows_since
from tap_dynamics365.planning.tables import whole_tables
from tap_dynamics365.services.describe import describe
from tap_dynamics365.services.registry import complete_url
from tap_dynamics365.settings import Settings
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.singer import overview, process
from tap_dynamics365.text_table import WIDTH, columns_that_fit, text_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tap_dynamics365.planning.page_sizes import MeasuredPage
    from tap_dynamics365.services.describe import Described
    from tap_dynamics365.services.kind import Service

Row = dict[str, Any]

#: Headings of the lists, by the names of their values in JSON.
TABLES = {
    "name": "table",
    "label": "label",
    "key": "key",
    "replication_key": "replication key",
    "tracks_changes": "tracked",
    "rows": "rows",
}
PAGE = {
    "page_rows": "rows of page",
    "page_bytes": "bytes of page",
    "bytes_per_row": "bytes per row",
}
SIZES = {"name": "table", "label": "label", "rows": "rows", **PAGE}
SINCE = {
    "name": "table",
    "label": "label",
    "replication_key": "replication key",
    "rows": "rows",
    "rows_since": "rows since",
}
_encode = msgspec.json.Encoder(decimal_format="number").encode


def tables(
    config: Mapping[str, Any],
    patterns: Sequence[str],
    report: Callable[[int, int], None] | None = None,
    since: str = "",
) -> list[Row]:
    """List tables.

    Args:
        config: The settings of the tap.
        patterns: Names of tables, with `*` and `?` as wildcards. Without one, the setting `tables`
            applies.
        report: Given to read a page of each table. Called with the number of tables that were
            read, and the number of all.
        since: Given to have the service count the rows since this date, by the replication key.

    Returns:
        What is known of each table, by the names in `TABLES`; with pages, also by those in `PAGE`,
        and `page_error`; with a date, also `rows_since`.

    Raises:
        MetadataError: No table matches, or the metadata document is not valid.
        ServiceError: The service refused.
        SettingsError: A setting is missing or wrong.
        SignInError: The sign-in host gave no token.
    """
    given = {**config, "start_date": since} if since else config
    service, settings, found = describe_tables(given, patterns)
    kind, counts = service.kind, dict[str, int]()
    if kind.count_rows is not None:
        counts = dict(kind.count_rows(service.client, [table.name for table, _ in found]))
    sizes = {}
    if report is not None:
        planned = whole_tables(found, service, settings)
        sizes = page_sizes(service, settings, planned, report)
    later = rows_since(service, settings, found) if since else {}
    return [
        overview.of_table(each, kind, counts.get(each.table.name))
        | (_size(sizes[each.table.name]) if sizes else {})
        | ({"rows_since": later.get(each.table.name)} if since else {})
        for each in found
    ]


def _size(page: MeasuredPage | ServiceError) -> Row:
    """Say the size of a page."""
    if isinstance(page, ServiceError):
        return {**dict.fromkeys(PAGE), "page_error": page.message}
    per_row = round(page.wire_bytes / page.rows) if page.rows else None
    return {
        **dict(zip(PAGE, (page.rows, page.wire_bytes, per_row), strict=True)),
        "page_error": None,
    }


def one_table(config: Mapping[str, Any], name: str) -> tuple[Service, Settings, Described]:
    """Open the service, and read one table.

    Args:
        config: The settings of the tap.
        name: The name of the table.

    Returns:
        The service, the settings, and the table.

    Raises:
        MetadataError: There is no such table, or the metadata document is not valid.
        ServiceError: The service refused.
        SettingsError: A setting is missing or wrong.
        SignInError: The sign-in host gave no token.
    """
    service, settings, found = describe_tables(config, [name])
    if len(found) > 1:
        msg = f"{len(found)} tables match {name}. Name one."
        raise MetadataError(msg)
    return service, settings, found[0]


def rows(config: Mapping[str, Any], name: str, selected: Sequence[str], limit: int) -> list[Row]:
    """Read the first rows of a table.

    Args:
        config: The settings of the tap.
        name: The name of the table.
        selected: The columns; all if empty.
        limit: The most rows.

    Returns:
        The rows.

    Raises:
        MetadataError: There is no such table, or the metadata document is not valid.
        ServiceError: The service refused.
        SettingsError: A setting is missing or wrong, or there is no such column.
        SignInError: The sign-in host gave no token.
    """
    process.hide_secrets()
    # One page has no more rows than are wanted.
    with Dynamics365({**config, "fetch_size": limit}) as service:
        try:
            return list(islice(service.rows(name, selected), limit))
        except NoMatchError as error:
            raise _no_match(error) from None


def report(done: int, count: int) -> None:
    """Show on a terminal how many tables were read.

    Args:
        done: The number of tables that were read.
        count: The number of all.
    """
    if sys.stderr.isatty():
        click.echo(f"\rTables read: {done:,} of {count:,}", err=True, nl=done == count)


def in_json(found: object) -> str:
    """Write a list, or what a command has found otherwise, as JSON.

    Args:
        found: What a command has found.
    """
    return msgspec.json.format(_encode(found), indent=2).decode()


def in_text(
    found: Sequence[Row],
    headings: Mapping[str, str],
    *,
    whole: Sequence[str] = (),
    right: Sequence[str] = (),
) -> Iterator[str]:
    """Write a list as a table of text.

    Args:
        found: The list.
        headings: The heading of each column, by name. Columns without any value are left out.
        whole: The names of the columns that are never cut off.
        right: The names of further columns that are aligned to the right; those of numbers are.

    Yields:
        The lines.
    """
    used = [name for name in headings if any(row[name] is not None for row in found)]
    texts = [[cell(row[name]) for name in used] for row in found]
    to_the_right = [
        n
        for n, name in enumerate(used)
        if name in right or {type(row[name]) for row in found} <= {int, NoneType}
    ]
    uncut = [n for n, name in enumerate(used) if name in whole]
    yield from text_table([headings[name] for name in used], texts, right=to_the_right, whole=uncut)


def sizes_in_text(found: Sequence[Row]) -> Iterator[str]:
    """Write tables with the sizes of their pages as text.

    Args:
        found: The tables.

    Yields:
        The lines. The last ones say which tables can't be read.
    """
    yield from in_text(found, SIZES)
    failed = [row for row in found if row["page_error"] is not None]
    if failed:
        yield ""
    for row in failed:
        yield from wrap(f"{row['name']}: {row['page_error']}", WIDTH)


def rows_in_text(found: Sequence[Row], choose: str = "--select") -> Iterator[str]:
    """Write rows as a table of text, with as many columns as fit.

    Args:
        found: The rows, all with the same columns.
        choose: What chooses columns.

    Yields:
        The lines. The last ones say which columns are left out.
    """
    if not found:
        yield "No rows."
        return
    filled = [name for name in found[0] if any(row[name] is not None for row in found)]
    shown = filled[: columns_that_fit([[n, *(cell(row[n]) for row in found)] for n in filled])]
    if shown:
        yield from text_table(shown, [[cell(row[name]) for name in shown] for row in found])
    empty, left = len(found[0]) - len(filled), len(filled) - len(shown)
    if left or empty:
        yield ""
    if left:
        yield f"{left} more columns don't fit here. Choose columns with {choose}, or add --json."
    if empty:
        yield f"{empty} columns have no value in these rows."


def describe_tables(
    config: Mapping[str, Any], patterns: Sequence[str]
) -> tuple[Service, Settings, list[Described]]:
    """Open the service, and read its tables.

    Args:
        config: The settings of the tap.
        patterns: Names of tables, with `*` and `?` as wildcards. Without one, the setting `tables`
            applies.

    Returns:
        The service, the settings, and the tables.

    Raises:
        MetadataError: No table matches, or the metadata document is not valid.
        ServiceError: The service refused.
        SettingsError: A setting is missing or wrong.
        SignInError: The sign-in host gave no token.
    """
    settings = Settings.from_config(config, CONFIG_SCHEMA, complete_url=complete_url)
    process.hide_secrets()
    service = open_service(settings)
    if not patterns:
        return service, settings, list(describe(service, settings))
    wanted = replace(settings, tables=tuple(patterns))
    try:
        return service, wanted, list(describe(service, wanted, source=""))
    except NoMatchError as error:
        raise _no_match(error) from None


def _no_match(error: NoMatchError) -> MetadataError:
    return MetadataError(f"{error.message} dynamics365 tables '*' lists all tables.")
