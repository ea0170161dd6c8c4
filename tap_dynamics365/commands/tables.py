"""`dynamics365 tables`: tables, the columns of a table, or its first rows, as text or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tap_dynamics365.commands import listing, sources
from tap_dynamics365.commands.options import config_option, json_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Rows without --limit.
FEW_ROWS = 10


@click.command()
@config_option
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option(
    "--sizes", is_flag=True, help="Read one page of each table, and list its bytes on the wire."
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
    if sizes and (columns or rows):
        msg = "Give --sizes with PATTERN, not with --columns or --rows."
        raise click.UsageError(msg)
    config = sources.read_settings(files)
    found: list[dict[str, Any]]
    in_text: Callable[[list[dict[str, Any]]], Iterable[str]]
    if rows:
        selected = [name.strip() for name in select.split(",") if name.strip()]
        found, in_text = listing.rows(config, rows, selected, limit), listing.rows_in_text
    elif columns:
        found = listing.columns(config, columns)
        in_text = _lister(listing.COLUMNS)
    elif sizes:
        found, in_text = listing.tables(config, patterns, listing.report), listing.sizes_in_text
    else:
        found, in_text = listing.tables(config, patterns), _lister(listing.TABLES)
    click.echo(listing.in_json(found) if in_json else "\n".join(in_text(found)))


def _lister(headings: dict[str, str]) -> Callable[[list[dict[str, Any]]], Iterable[str]]:
    return lambda found: listing.in_text(found, headings)
