"""`dynamics365 environments`: the environments that an account may use, as text or as JSON."""

from __future__ import annotations

from dataclasses import asdict

import click

from tap_dynamics365.commands import listing, sources
from tap_dynamics365.commands.options import config_option, json_option
from tap_dynamics365.connection import list_environments
from tap_dynamics365.services.registry import complete_url, with_directory
from tap_dynamics365.settings import Settings
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.singer import process

# The URL comes last, because it is never cut off.
HEADINGS = {
    "name": "environment",
    "type": "type",
    "region": "region",
    "state": "state",
    "version": "version",
    "url": "service_url",
}


@click.command()
@config_option
@json_option
def environments(*, files: tuple[str, ...], in_json: bool) -> None:
    """List the environments that you may use, with their URLs for service_url.

    Without service_url, they are those of Dataverse. For Business Central, set service_url to
    https://api.businesscentral.dynamics.com/v2.0/<tenant>.
    """
    config = with_directory(sources.read_settings(files))
    settings = Settings.from_config(config, CONFIG_SCHEMA, complete_url=complete_url)
    process.hide_secrets()
    found = [asdict(each) for each in list_environments(settings)]
    if in_json:
        click.echo(listing.in_json(found))
    elif found:
        click.echo("\n".join(listing.in_text(found, HEADINGS, whole=["url"])))
    else:
        click.echo("No environments.")
