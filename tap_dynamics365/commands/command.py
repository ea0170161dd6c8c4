"""Command line of `dynamics365`: the group of all commands."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress

import click

from tap_dynamics365 import __version__
from tap_dynamics365.commands.check import check
from tap_dynamics365.commands.configure import configure
from tap_dynamics365.commands.environments import environments
from tap_dynamics365.commands.estimate import estimate
from tap_dynamics365.commands.export import export
from tap_dynamics365.commands.query import query
from tap_dynamics365.commands.tables import tables
from tap_dynamics365.commands.write import write
from tap_dynamics365.login.command import login
from tap_dynamics365.settings.environment import LOG_LEVEL, PREFIX


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dynamics365")
def dynamics365() -> None:
    """Sign in to Dynamics 365, check the connection, look at tables and rows, and write files."""
    logging.basicConfig(format="%(message)s")
    if os.environ.get(f"{PREFIX}{LOG_LEVEL.upper()}", "").upper() == "DEBUG":
        # Not the root, because packages for the sign-in log secrets.
        logging.getLogger("tap-dynamics365").setLevel(logging.DEBUG)
    # A terminal may not know every character of a row.
    with suppress(AttributeError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]


for command in (
    login,
    check,
    environments,
    tables,
    estimate,
    query,
    export,
    write,
    configure,
):
    dynamics365.add_command(command)
