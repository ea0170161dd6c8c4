"""`dynamics365 write`: writes settings and selection into the files of a project, after a diff."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tap_dynamics365.commands import sources
from tap_dynamics365.commands.options import config_option
from tap_dynamics365.config_files import (
    catalog_json,
    change,
    config_json,
    connection_url,
    env_file,
    git,
    meltano_yml,
)
from tap_dynamics365.config_files.replication import Replication, parse
from tap_dynamics365.connection import open_service
from tap_dynamics365.errors import InputError
from tap_dynamics365.login import terminal
from tap_dynamics365.services.registry import complete_url
from tap_dynamics365.settings import Settings
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.singer import discovery, process
from tap_dynamics365.singer.select_rules import selectable, unmatched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_dynamics365.config_files.change import Change

URL = "url"
WITH_SELECTION = (meltano_yml.NAME, catalog_json.NAME)
WITH_SETTINGS = (env_file.NAME, config_json.NAME)
NAMES = (meltano_yml.NAME, *WITH_SETTINGS, catalog_json.NAME, URL)
# The diff of a new catalog has thousands of lines.
MOST_LINES = 500


@click.command()
@config_option
@click.argument("target", metavar="|".join(NAMES))
@click.option(
    "--select",
    "rules",
    multiple=True,
    metavar="RULE",
    help="What to select, such as 'account.*' or '!account.fax'. Can be repeated. Replaces the "
    "rules of meltano.yml.",
)
@click.option(
    "--replication",
    "chosen",
    multiple=True,
    metavar="TABLE=METHOD[:KEY]",
    help="The replication of a table, such as account=LOG_BASED. Can be repeated.",
)
@click.option("--yes", is_flag=True, help="Write without a question.")
@click.pass_context
def write(  # noqa: PLR0913 - the options
    context: click.Context,
    /,
    *,
    files: tuple[str, ...],
    target: str,
    rules: tuple[str, ...],
    chosen: tuple[str, ...],
    yes: bool,
) -> None:
    """Write settings and selection into a file of the project in this folder.

    Prints what changes, without secrets, and asks. meltano.yml has the settings only if --config
    is given; its secrets are written to .env. The url is the connection URL of the JDBC driver.

    Without a terminal, add --yes. If something is to be written and is not, the exit code is 1.
    """
    name = Path(target).name
    if name not in NAMES or (name == URL and target != URL):
        msg = f"Write one of {', '.join(NAMES[:-1])} or {NAMES[-1]}."
        raise click.UsageError(msg)
    if (rules or chosen) and name not in WITH_SELECTION:
        msg = f"Give --select and --replication with {' or '.join(WITH_SELECTION)}."
        raise click.UsageError(msg)
    replication = dict(map(parse, chosen))
    if target == URL:
        done = _print_url(sources.read_settings(files), yes=yes)
    else:
        project = Path.cwd()
        changes = _plan(project, target, files, rules or None, replication)
        done = _write(project, changes, yes=yes)
    context.exit(0 if done else 1)


def _plan(
    project: Path,
    target: str,
    files: Sequence[str],
    rules: Sequence[str] | None,
    replication: Mapping[str, Replication],
) -> list[Change]:
    """Plan what is to be written."""
    path = change.place(project, target)
    match path.name:
        case meltano_yml.NAME:
            if path.parent != project.resolve():
                msg = (
                    f"{target} is not in this folder: run the command in the folder of the project."
                )
                raise InputError(msg)
            settings = _settings(project, files) if files else {}
            return meltano_yml.plan(project, settings, rules, replication)
        case catalog_json.NAME:
            catalog = _discover(sources.read_settings(files))
            for rule in unmatched(rules or (), selectable(catalog)):
                click.echo(f"No table or column matches the rule {rule}.", err=True)
            return [catalog_json.plan(path, catalog, rules, replication)]
        case env_file.NAME:
            return [env_file.plan(path, _settings(project, files))]
        case _:
            return [config_json.plan(path, _settings(project, files))]


def _settings(project: Path, files: Sequence[str]) -> dict[str, Any]:
    """Read the settings to write, and warn of a token that git may commit."""
    settings = sources.read_settings(files)
    if words := git.store_warning(project, settings):
        click.echo(words, err=True)
    return settings


def _discover(config: Mapping[str, Any]) -> dict[str, Any]:
    """Discover a catalog."""
    settings = Settings.from_config(config, CONFIG_SCHEMA, complete_url=complete_url)
    process.hide_secrets()
    found = discovery.discover(open_service(settings), settings)
    return {"streams": [entry.to_dict() for entry in found]}


def _write(project: Path, changes: Sequence[Change], *, yes: bool) -> bool:
    """Show changes, and write them if this is wanted. Return whether nothing is left to write."""
    changes = [each for each in changes if each.is_change]
    if not changes:
        click.echo("Nothing changes.")
        return True
    for each in changes:
        lines = change.diff(each)
        click.echo("\n".join(lines[:MOST_LINES]))
        if len(lines) > MOST_LINES:
            click.echo(f"… and {len(lines) - MOST_LINES:,} more lines of {each.path.name}.")
    if not _is_wanted("Write this?", "Nothing is written: to write this, add --yes.", yes=yes):
        return False
    change.write(project, changes)
    click.echo(f"Written: {', '.join(str(each.path) for each in changes)}.")
    return True


def _print_url(config: Mapping[str, Any], *, yes: bool) -> bool:
    """Print the connection URL, with secrets if this is wanted."""
    written = connection_url.write(config)
    for reason in written.left_out:
        click.echo(f"Not in the URL: {reason}", err=True)
    if yes or written.url == written.redacted:
        click.echo(written.url)
        return True
    click.echo(written.redacted)
    if not _is_wanted("Print it with secrets?", "To print it with secrets, add --yes.", yes=yes):
        return False
    click.echo(written.url)
    return True


def _is_wanted(question: str, way: str, *, yes: bool) -> bool:
    """Ask a person at the terminal, unless the answer is known."""
    if yes:
        return True
    if not terminal.is_interactive():
        click.echo(way, err=True)
        return False
    return terminal.ask(f"{question} (yes or no)", "no").lower() in {"y", "yes"}
