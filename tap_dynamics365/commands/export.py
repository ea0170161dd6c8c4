"""`dynamics365 export`: tables into Parquet files, Delta tables, DuckDB or PostgreSQL."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tap_dynamics365.commands import sources
from tap_dynamics365.commands.options import config_option
from tap_dynamics365.errors import ServiceError, SettingsError
from tap_dynamics365.export.opening import open_destination
from tap_dynamics365.export.origin import check_origin, origin_of
from tap_dynamics365.export.state_out import StateFile
from tap_dynamics365.progress.display import LINES_EVERY, shown
from tap_dynamics365.progress.progress import Progress
from tap_dynamics365.singer import process

if TYPE_CHECKING:
    from tap_dynamics365.export.export import Result

# What a shell adds to the number of a signal.
BY_SIGNAL = 128
NOTHING = "No table is named: name tables, or set tables."
AGAIN = "Run the same command again to go on from there."


@click.command()
@config_option
@click.argument("patterns", nargs=-1, metavar="[TABLE]...")
@click.option(
    "--to",
    required=True,
    metavar="PLACE",
    help="DIR for Parquet files, delta:PATH, duckdb:FILE, or a URL such as "
    "postgresql://user@host:5432/database.",
)
@click.option(
    "--state-out",
    metavar="FILE",
    help="File for the state, from which the tap goes on.",
)
@click.option("--full", is_flag=True, help="Begin again, and replace the tables at the end.")
@click.pass_context
def export(  # noqa: PLR0913 - the options
    context: click.Context,
    /,
    *,
    files: tuple[str, ...],
    patterns: tuple[str, ...],
    to: str,
    state_out: str | None,
    full: bool,
) -> None:
    """Export tables into files or a database, without a Singer target.

    TABLE is the name of a table, or a shell-style pattern such as 'new_*'. Without one, the setting
    tables applies. The same command again goes on where the one before ended, or exports what has
    changed since.
    """
    destination = open_destination(to)
    state = None if state_out is None else StateFile(Path(state_out))
    # Not at the top: pyarrow is an extra.
    from tap_dynamics365.arrow import ArrowSource  # noqa: PLC0415
    from tap_dynamics365.export.export import Export  # noqa: PLC0415

    process.hide_secrets()
    process.read_bodies_whole()
    process.tune()
    logging.getLogger("tap-dynamics365").setLevel(logging.INFO)
    with ArrowSource(sources.read_settings(files)) as source:
        if not patterns and not source.settings.tables:
            raise SettingsError(NOTHING)
        tables = source.tables(*patterns)
        names = [described.table.name for described in tables]
        found = destination.progress(names)
        progress = {} if full else found
        origin = origin_of(source.settings.service_url)
        check_origin(progress, origin, destination.place)
        bookmarks = {name: each.bookmark for name, each in progress.items()}
        readings = source.read_tables(names, {"bookmarks": bookmarks})
        run = Export(
            destination,
            readings,
            tables,
            progress,
            origin=origin,
            most_bytes=source.settings.read_ahead_mb * 1_000_000 // 2,
            state_out=state,
        )
        client = source.service.client
        tallies = [reading.tally for reading in readings.by_table.values()]
        shown_progress = Progress(tallies, client.throttle, client.traffic)
        with shown(shown_progress, source.service, LINES_EVERY, has_messages=False):
            result = run.run()
    click.echo(f"{shown_progress.summary(time.monotonic())} To: {destination.place}.")
    context.exit(_conclude(result, len(tables)))


def _conclude(result: Result, tables: int) -> int:
    """Return the exit code.

    Raises:
        Dynamics365Error: Tables failed.
    """
    if result.stopped_by is not None:
        click.echo(f"Stopped. Everything that arrived is committed. {AGAIN}", err=True)
        return BY_SIGNAL + result.stopped_by
    if result.failed:
        count = "1 table" if tables == 1 else f"{tables} tables"
        msg = (
            f"{len(result.failed)} of {count} failed, for the reasons logged above: "
            f"{', '.join(result.failed)}. Everything that arrived is committed. {AGAIN}"
        )
        raise ServiceError(msg)
    if result.error is not None:
        raise result.error
    return 0
