"""`dynamics365 query`: an OData read of the service, as text, as JSON or as a command of curl."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tap_dynamics365.commands import listing, sources
from tap_dynamics365.commands.options import config_option, json_option
from tap_dynamics365.connection import open_service
from tap_dynamics365.planning import query as queries
from tap_dynamics365.services.registry import complete_url
from tap_dynamics365.settings import Settings
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.singer import process

if TYPE_CHECKING:
    from msgspec import Raw


@click.command()
@config_option
@click.argument("path")
@click.option(
    "--pages",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="The most pages to read.",
)
@json_option
@click.option("--curl", is_flag=True, help="Print the command of curl that reads the same.")
def query(*, files: tuple[str, ...], path: str, pages: int, in_json: bool, curl: bool) -> None:
    """Read rows of the service with an OData query.

    PATH is below service_url, with its options, such as 'accounts?$select=name&$top=5'. Quote it,
    because $ and & mean something to the shell. Nothing can be written.
    """
    if curl and (in_json or pages > 1):
        msg = "Give --curl without --json and --pages: it sends no request."
        raise click.UsageError(msg)
    config = sources.read_settings(files)
    settings = Settings.from_config(config, CONFIG_SCHEMA, complete_url=complete_url)
    process.hide_secrets()
    service = open_service(settings)
    url: str | None = queries.address(service, settings, path)
    if curl:
        click.echo(queries.curl(service, settings, str(url)))
        return
    rows: list[Raw] = []
    for _ in range(pages):
        if url is None:
            break
        answer = queries.read(service, url)
        rows += answer.rows
        url = queries.next_address(service, answer)
    if in_json:
        click.echo(queries.in_json(rows))
    else:
        click.echo("\n".join(listing.rows_in_text([*queries.in_texts(rows)], "$select")))
    if url is not None:
        click.echo(f"There are more rows. To read more pages, add --pages {pages + 1}.", err=True)
