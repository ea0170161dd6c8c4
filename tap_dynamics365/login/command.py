"""Command line of `dynamics365 login`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tap_dynamics365 import __version__
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.login import (
    browser,
    choice,
    config,
    device,
    settings_file,
    terminal,
    token_output,
)
from tap_dynamics365.login.app import App
from tap_dynamics365.login.identity import identify
from tap_dynamics365.services.registry import complete_url, with_directory
from tap_dynamics365.settings import Grant, Settings
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamics365.auth.token_endpoint import Tokens

# The exit code that shells use for a program that Ctrl-C ended.
INTERRUPTED = 130


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "files",
    multiple=True,
    metavar="FILE",
    help="Configuration file of the tap. Can be repeated. It takes precedence over "
    "TAP_DYNAMICS365_* variables, which are always read.",
)
@click.option(
    "--service-url",
    metavar="URL",
    help="Address of the service, such as https://yourorg.crm.dynamics.com. Without it, you choose "
    "from the list of your environments.",
)
@click.option("--client-id", metavar="ID", help="Application (client) ID of the app registration.")
@click.option(
    "--token-uri",
    metavar="URL",
    help="Address of the token endpoint. By default, the command asks the service for it.",
)
@click.option("--token-store", metavar="FILE", help="File to keep the refresh token in.")
@click.option(
    "--browser/--device-code",
    "here",
    default=True,
    help="Sign in in a browser that opens here (default), or with a code that you enter in a "
    "browser on any device.",
)
@click.option(
    "--print",
    "printing",
    is_flag=True,
    help="Print the settings for a .env file on standard output, including the secrets, "
    "instead of keeping the refresh token in a file.",
)
@click.option(
    "--write",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the settings, including the secrets, into a file .env, or into a JSON file such as "
    "config.json. What else is in the file stays.",
)
@click.version_option(__version__, prog_name="dynamics365 login")
@click.pass_context
def login(
    context: click.Context,
    /,
    *,
    files: tuple[str, ...],
    here: bool,
    printing: bool,
    target: Path | None,
    **options: str | None,
) -> None:
    """Sign in to Dynamics 365 as a person, and keep the refresh token for the tap.

    The command asks for missing settings. There is no option for the client secret, because other
    users of the machine could see it: set client_secret, or enter it when the command asks.
    """
    logging.basicConfig(format="%(message)s")
    try:
        given = {name: value for name, value in options.items() if value}
        if printing and target:
            msg = "Choose one of --print and --write."
            raise click.UsageError(msg)
        _login(config.configured(files), given, here=here, printing=printing, target=target)
    except (KeyboardInterrupt, click.Abort):
        terminal.say("Ended.")
        context.exit(INTERRUPTED)


def _login(
    configured: dict[str, Any],
    given: dict[str, str],
    *,
    here: bool,
    printing: bool,
    target: Path | None,
) -> None:
    """Sign a person in, and keep or print the refresh token.

    Args:
        configured: The settings of the tap.
        given: The settings that were given as options.
        here: Whether to open a browser here.
        printing: Whether to print the refresh token.
        target: The file to write the settings into; None to write none.

    Raises:
        Dynamics365Error: Nobody signed in, or the token can't be kept.
    """
    values = config.complete({**configured, **given}, printing=printing)
    settings = _settings(values)
    _check_grant(settings)
    if not printing:
        token_output.check(settings)
    if target:
        settings_file.check(target)
    sign_in = (browser if here else device).sign_in
    app, refresh_token = App(settings), ""
    if app.directory is not None:
        url, refresh_token = choice.choose(app, app.directory, sign_in)
        values = {**values, "service_url": url}
        settings = _settings(values)
        app = App(settings)

    def finish(tokens: Tokens) -> str:
        if tokens.refresh_token is None:
            raise choice.no_refresh_token()
        found = identify(app.service, tokens)
        terminal.say(
            f"Signed in as {found.user}.",
            f"Organization: {found.organization}, at {settings.service_url}.",
        )
        if printing:
            token_output.print_env_file(settings, tokens.refresh_token)
        else:
            token_output.save_token(settings, app, tokens.refresh_token)
        if target:
            token_output.write_settings(target, settings)
        elif not printing:
            token_output.print_missing_settings(values, configured)
        return found.page

    if refresh_token:
        finish(app.refresh(refresh_token))
    else:
        sign_in(app, finish)


def _check_grant(settings: Settings) -> None:
    """Raise if the tap would use no refresh token."""
    if settings.grant in {Grant.NTLM, Grant.BASIC, Grant.AZURE}:
        msg = (
            f"With {settings.grant.value} set, the tap uses no refresh token: remove the setting, "
            "and run this command again."
        )
        raise SettingsError(msg)


def _settings(values: Mapping[str, Any]) -> Settings:
    """Check the settings. Without `service_url`, they are those for the list of environments."""
    return Settings.from_config(
        with_directory(values), CONFIG_SCHEMA, complete_url=complete_url, for_login=True
    )
