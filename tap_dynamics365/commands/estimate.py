"""`dynamics365 estimate`: what the first load and each run after it cost, as text or as JSON."""

from __future__ import annotations

from fnmatch import fnmatchcase
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from tap_dynamics365.commands import listing, sources
from tap_dynamics365.commands.options import config_option, json_option
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.planning import measurements, units
from tap_dynamics365.planning.estimate import make_plan
from tap_dynamics365.planning.notes import as_document, notes
from tap_dynamics365.planning.plan import DAY
from tap_dynamics365.planning.tables import planned_tables
from tap_dynamics365.singer import select_rules
from tap_dynamics365.singer.catalog import read_catalog
from tap_dynamics365.singer.discovery import make_entries
from tap_dynamics365.text_table import WIDTH, text_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singer_sdk.singerlib import CatalogEntry

    from tap_dynamics365.planning.plan import Limit, Load, Plan
    from tap_dynamics365.planning.tables import PlannedTable
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings

# Headings of the lists, by the names of their values.
TABLES = {
    "name": "table",
    "method": "method",
    "rows": "rows",
    "first": "requests",
    "later": "each run",
    "wire_bytes": "bytes",
    "page": "ms a page",
}
NOTHING = "No table is selected: name tables, or set tables."
LOADS = ("", "tables", "rows", "requests", "bytes", "time")


@click.command()
@config_option
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option("--catalog", metavar="FILE", help="Catalog of the tap, which selects tables.")
@click.option(
    "--select",
    "rules",
    multiple=True,
    metavar="RULE",
    help="Select tables and columns as Meltano does, such as 'account.*' or '!account.address*'. "
    "Can be repeated.",
)
@click.option(
    "--measure",
    is_flag=True,
    help="Read one page of each table, and have the service count rows if it keeps no counts.",
)
@json_option
def estimate(  # noqa: PLR0913 - the options
    *,
    files: tuple[str, ...],
    patterns: tuple[str, ...],
    catalog: str | None,
    rules: tuple[str, ...],
    measure: bool,
    in_json: bool,
) -> None:
    """Estimate the requests, rows, bytes and time of the first load and of each run.

    PATTERN is the name of a table, or a shell-style pattern such as 'new_*'. Without one, the
    catalog or the setting tables applies.
    """
    if catalog is not None and rules:
        msg = "Give --catalog or --select: both select tables and columns."
        raise click.UsageError(msg)
    config, document = sources.read_settings(files), sources.read_catalog(catalog)
    if document is not None:
        service, settings, tables = _of_catalog(config, document, patterns)
    else:
        service, settings, tables = _of_rules(config, patterns, rules)
    if not tables:
        raise SettingsError(NOTHING)
    measured = measurements.measure(tables, service, settings, listing.report) if measure else None
    plan = make_plan(tables, service, settings, measured)
    if in_json:
        click.echo(listing.in_json(as_document(plan)))
    else:
        click.echo("\n".join(_in_text(plan)))


def _of_catalog(
    config: Mapping[str, Any], document: Mapping[str, Any], patterns: Sequence[str]
) -> tuple[Service, Settings, list[PlannedTable]]:
    """Open the service, and say what a run extracts with a catalog."""
    entries = [
        entry
        for name, entry in read_catalog(document).items()
        if entry.metadata.resolve_selection()[()] and _matches(name, patterns)
    ]
    if not entries:
        raise SettingsError(NOTHING)
    names = [entry.tap_stream_id for entry in entries]
    service, settings, found = listing.describe_tables(config, names)
    described = {each.table.name: each for each in found}
    return service, settings, planned_tables(entries, described, service, settings)


def _of_rules(
    config: Mapping[str, Any], patterns: Sequence[str], rules: Sequence[str]
) -> tuple[Service, Settings, list[PlannedTable]]:
    """Open the service, and say what a run extracts without a catalog."""
    service, settings, found = listing.describe_tables(config, patterns)
    is_selected = service.kind.selects_all or bool(settings.tables)
    entries = [*make_entries(found, service.kind, settings, is_selected=is_selected)]
    if rules:
        _select(entries, rules)
    described = {each.table.name: each for each in found}
    return service, settings, planned_tables(entries, described, service, settings)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name.lower(), each.lower()) for each in patterns)


def _select(entries: Sequence[CatalogEntry], rules: Sequence[str]) -> None:
    """Select what the rules select, and nothing else."""
    document = {"streams": [entry.to_dict() for entry in entries]}
    selection = select_rules.select(rules, select_rules.selectable(document))
    for entry in entries:
        columns = selection.get(entry.tap_stream_id)
        for breadcrumb, metadata in entry.metadata.items():
            if not breadcrumb:
                metadata.selected = columns is not None
            elif len(breadcrumb) == 2:  # noqa: PLR2004 - "properties" and a name
                metadata.selected = columns is not None and breadcrumb[1] in columns


def _in_text(plan: Plan) -> Iterator[str]:
    rows = [
        {
            "name": table.name,
            "method": table.method,
            "rows": table.first_load.rows,
            "first": table.first_load.requests,
            "later": table.each_run.requests,
            "wire_bytes": table.first_load.wire_bytes,
            "page": round(table.page.seconds * 1000) if table.page is not None else None,
        }
        for table in plan.tables
    ]
    yield from listing.in_text(rows, TABLES)
    yield ""
    loads = [("first load", plan.first_load), ("each run", plan.each_run)]
    lines = [_load(name, load, len(plan.tables)) for name, load in loads]
    yield from text_table(LOADS, lines, right=range(1, len(LOADS)))
    for limit in plan.limits:
        yield from _limit(limit, plan.service)
    if plan.advice:
        yield ""
    for advice in plan.advice:
        yield from wrap(advice.sentence, WIDTH, initial_indent="! ", subsequent_indent="  ")
    yield ""
    for note in notes(plan):
        yield from wrap(note, WIDTH, initial_indent="- ", subsequent_indent="  ")
    if not plan.is_measured:
        yield from wrap("With --measure, one page of each table is read.", WIDTH)


def _load(name: str, load: Load, tables: int) -> list[str]:
    numbers = (tables, load.rows, load.requests)
    return [
        name,
        *("?" if number is None else f"{number:,}" for number in numbers),
        units.size(load.wire_bytes),
        units.duration(load.seconds),
    ]


def _limit(limit: Limit, service: str) -> Iterator[str]:
    shares = [("The first load takes", limit.first_load), ("each run", limit.each_run)]
    known = [f"{run} {units.share(share)}" for run, share in shares if share is not None]
    if len(known) == len(shares):
        words = f"{', '.join(known)} of the {limit.full:,} {limit.unit} that {service}"
        lets = "includes for a paid user" if limit.period == DAY else "lets one user take"
        yield from wrap(f"{words} {lets} in {limit.period}.", WIDTH)
