"""`dynamics365 tables`: tables, their columns, rows, references and changes, as text or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tap_dynamics365.commands import (
    change_list,
    column_list,
    listing,
    reference_list,
    sources,
)
from tap_dynamics365.commands.options import config_option, json_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Rows without --limit.
FEW_ROWS = 10


@click.command()
@config_option
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option(
    "--sizes",
    is_flag=True,
    help="Read one page of each table, and list its bytes on the wire. With --columns, list which "
    "columns have values in it, and their share of the bytes.",
)
@click.option(
    "--since",
    metavar="DATE",
    default="",
    help="Have the service count the rows since a date, by the replication key.",
)
@click.option("--references", is_flag=True, help="List how the tables refer to each other.")
@click.option(
    "--changes",
    metavar="FILE",
    help="List what is new, gone or of another type since a catalog or a schema map was written.",
)
@click.option("--columns", metavar="TABLE", help="List the columns of a table.")
@click.option("--rows", metavar="TABLE", help="Show the first rows of a table.")
@click.option(
    "--limit",
    type=click.IntRange(1, 5000),
    default=FEW_ROWS,
    show_default=True,
    help="With --rows: how many rows.",
)
@click.option("--select", metavar="COLUMN,…", default="", help="With --rows: which columns.")
@json_option
def tables(  # noqa: PLR0913 - the options
    *,
    files: tuple[str, ...],
    patterns: tuple[str, ...],
    sizes: bool,
    since: str,
    references: bool,
    changes: str | None,
    columns: str | None,
    rows: str | None,
    limit: int,
    select: str,
    in_json: bool,
) -> None:
    """List tables, the columns of a table, or its first rows.

    PATTERN is the name of a table, or a shell-style pattern such as 'new_*'. Without one, the
    setting tables applies.
    """
    if sum(map(bool, (patterns, columns, rows))) > 1:
        msg = "Give one of PATTERN, --columns and --rows."
        raise click.UsageError(msg)
    asked = {"--since": since, "--references": references, "--changes": changes}
    ways = [name for name, value in {"--sizes": sizes and not columns, **asked}.items() if value]
    if len(ways) > 1:
        msg = f"Give one of {' and '.join(ways)}."
        raise click.UsageError(msg)
    if ways and (columns or rows):
        msg = f"Give {ways[0]} with PATTERN, not with --columns or --rows."
        raise click.UsageError(msg)
    config = sources.read_settings(files)
    found: list[dict[str, Any]]
    in_text: Callable[[list[dict[str, Any]]], Iterable[str]]
    if rows:
        selected = [name.strip() for name in select.split(",") if name.strip()]
        found, in_text = listing.rows(config, rows, selected, limit), listing.rows_in_text
    elif columns:
        found, in_text = column_list.columns(config, columns, sizes=sizes), column_list.in_text
    elif references:
        found, in_text = reference_list.read(config, patterns), reference_list.in_text
    elif changes:
        found, in_text = change_list.read(config, patterns, changes), change_list.in_text
    elif since:
        found, in_text = listing.tables(config, patterns, since=since), _lister(listing.SINCE)
    elif sizes:
        found, in_text = listing.tables(config, patterns, listing.report), listing.sizes_in_text
    else:
        found, in_text = listing.tables(config, patterns), _lister(listing.TABLES)
    click.echo(listing.in_json(found) if in_json else "\n".join(in_text(found)))


def _lister(headings: dict[str, str]) -> Callable[[list[dict[str, Any]]], Iterable[str]]:
    return lambda found: listing.in_text(found, headings)
