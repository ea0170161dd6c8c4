"""Options that several commands have."""

from __future__ import annotations

import click

config_option = click.option(
    "--config",
    "files",
    multiple=True,
    metavar="FILE",
    help="Configuration file of the tap, or ENV for the variables TAP_DYNAMICS365_*. Can be "
    "repeated. Without it, the variables are read.",
)
json_option = click.option("--json", "in_json", is_flag=True, help="Print JSON.")
