"""Command line of `dynamics365`."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from tap_dynamics365 import __version__
from tap_dynamics365.commands import listing, sources
from tap_dynamics365.commands.checklist import Checklist, Status
from tap_dynamics365.commands.connection_checks import ConnectionChecks
from tap_dynamics365.commands.table_checks import MOST_TRIED, TableChecks
from tap_dynamics365.login.command import login

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_dynamics365.commands.checklist import Result

MARKS = {Status.OK: "✓", Status.WARNING: "!", Status.FAILED: "✗", Status.NOT_RUN: "–"}
# Rows without --limit.
FEW_ROWS = 10

config_option = click.option(
    "--config",
    "files",
    multiple=True,
    metavar="FILE",
    help="Configuration file of the tap, or ENV for the variables TAP_DYNAMICS365_*. Can be "
    "repeated. Without it, the variables are read.",
)
json_option = click.option("--json", "in_json", is_flag=True, help="Print JSON.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dynamics365")
def dynamics365() -> None:
    """Sign in to Dynamics 365, check the connection, and look at the tables."""
    logging.basicConfig(format="%(message)s")
    # A terminal may not know every character of a row.
    with suppress(AttributeError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]


dynamics365.add_command(login, "login")


@dynamics365.command()
@config_option
@click.option("--catalog", metavar="FILE", help="Catalog of the tap, which selects tables.")
@click.option(
    "--all",
    "every",
    is_flag=True,
    help=f"Try all selected tables and companies, instead of {MOST_TRIED}.",
)
@json_option
@click.pass_context
def check(
    context: click.Context,
    /,
    *,
    files: tuple[str, ...],
    catalog: str | None,
    every: bool,
    in_json: bool,
) -> None:
    """Check the settings, the sign-in, and whether the tables can be read.

    The exit code is 0 if a run would work, and 1 otherwise.
    """
    checklist = Checklist((lambda _: None) if in_json else _show)
    connection = ConnectionChecks(files, catalog)
    tap = connection.run(checklist)
    if tap is not None:
        most = None if every else MOST_TRIED
        TableChecks(tap, has_catalog=connection.has_catalog, most=most).run(checklist)
    if in_json:
        click.echo(listing.in_json([_in_json(result) for result in checklist.results]))
    context.exit(1 if checklist.has_failed else 0)


@dynamics365.command()
@config_option
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
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
    config = sources.read_settings(files)
    found: list[dict[str, Any]]
    in_text: Callable[[list[dict[str, Any]]], Iterable[str]]
    if rows:
        selected = [name.strip() for name in select.split(",") if name.strip()]
        found, in_text = listing.rows(config, rows, selected, limit), listing.rows_in_text
    elif columns:
        found = listing.columns(config, columns)
        in_text = _lister(listing.COLUMNS)
    else:
        found, in_text = listing.tables(config, patterns), _lister(listing.TABLES)
    click.echo(listing.in_json(found) if in_json else "\n".join(in_text(found)))


def _lister(headings: dict[str, str]) -> Callable[[list[dict[str, Any]]], Iterable[str]]:
    return lambda found: listing.in_text(found, headings)


def _show(result: Result) -> None:
    """Print a check that ended."""
    words = f"{result.message} {result.remedy}".strip()
    click.echo(f"{_mark(result.status)} {result.name}: {words}")


def _mark(status: Status) -> str:
    """Return the mark of a status; its name, where the terminal does not know the mark."""
    mark = MARKS[status]
    try:
        mark.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return f"[{status.value}]"
    return mark


def _in_json(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "status": result.status.value,
        "message": result.message,
        "remedy": result.remedy or None,
    }
