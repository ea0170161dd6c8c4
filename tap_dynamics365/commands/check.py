"""`dynamics365 check`: the checks of the connection, printed one by one or as JSON."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from tap_dynamics365.checks.checklist import Checklist, Status
from tap_dynamics365.checks.connection_checks import ConnectionChecks
from tap_dynamics365.checks.table_checks import MOST_TRIED, TableChecks
from tap_dynamics365.commands import listing, sources
from tap_dynamics365.commands.options import config_option, json_option

if TYPE_CHECKING:
    from tap_dynamics365.checks.checklist import Result

MARKS = {Status.OK: "✓", Status.WARNING: "!", Status.FAILED: "✗", Status.NOT_RUN: "–"}


@click.command()
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
    connection = ConnectionChecks(
        partial(sources.read_settings, files), partial(sources.read_catalog, catalog)
    )
    tap = connection.run(checklist)
    if tap is not None:
        most = None if every else MOST_TRIED
        TableChecks(tap, has_catalog=catalog is not None, most=most).run(checklist)
    if in_json:
        click.echo(listing.in_json([_in_json(result) for result in checklist.results]))
    context.exit(1 if checklist.has_failed else 0)


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
