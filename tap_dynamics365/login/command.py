"""The command line of `tap-dynamics365-login`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click

from tap_dynamics365 import __version__
from tap_dynamics365.errors import SettingsError, SignInError
from tap_dynamics365.login import browser, config, device, keeping, terminal
from tap_dynamics365.login.app import App
from tap_dynamics365.login.identity import identify
from tap_dynamics365.settings import Grant, Settings
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA

if TYPE_CHECKING:
    from tap_dynamics365.auth.token_endpoint import Tokens

# As a shell has it for a program that Ctrl-C ended.
INTERRUPTED = 130


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "files",
    multiple=True,
    metavar="FILE",
    help="Configuration file of the tap; can be given again. It wins over TAP_DYNAMICS365_* "
    "variables, which are read in any case.",
)
@click.option("--service-url", metavar="URL", help="Address of the Web API with its version.")
@click.option("--client-id", metavar="ID", help="Application (client) ID of the app registration.")
@click.option(
    "--token-uri",
    metavar="URL",
    help="Where tokens are issued; the service is asked for it when left out.",
)
@click.option("--token-store", metavar="FILE", help="Where the refresh token is kept for the tap.")
@click.option(
    "--browser/--device-code",
    "here",
    default=True,
    help="Sign in in a browser that is opened here, which is the default, or show a code to type "
    "in a browser on any device.",
)
@click.option(
    "--print",
    "printing",
    is_flag=True,
    help="Print the settings for a file .env on standard output, the secrets among them, "
    "instead of keeping the refresh token in a file.",
)
@click.version_option(__version__, prog_name="tap-dynamics365-login")
@click.pass_context
def login(
    context: click.Context,
    /,
    *,
    files: tuple[str, ...],
    here: bool,
    printing: bool,
    **options: str | None,
) -> None:
    """Sign in to Dynamics 365 as a person, and keep the refresh token for the tap.

    What is missing is asked for. A client secret is taken from the settings, or asked for:
    others could see it among the options.
    """
    logging.basicConfig(format="%(message)s")
    try:
        given = {name: value for name, value in options.items() if value}
        _login(config.configured(files), given, here=here, printing=printing)
    except (KeyboardInterrupt, click.Abort):
        terminal.say("Ended.")
        context.exit(INTERRUPTED)


def _login(
    configured: dict[str, Any], given: dict[str, str], *, here: bool, printing: bool
) -> None:
    """Have somebody sign in, and keep what comes of it.

    Args:
        configured: The settings of the tap.
        given: Those given as options.
        here: Whether to sign in in a browser that is opened here.
        printing: Whether to print the token.

    Raises:
        Dynamics365Error: Nobody signed in.
    """
    values = config.complete({**configured, **given}, printing=printing)
    settings = Settings.from_config(values, CONFIG_SCHEMA, for_login=True)
    if settings.grant in {Grant.NTLM, Grant.AZURE}:
        msg = (
            f"With {settings.grant.value} set, the tap signs in without a person's token: take "
            "it out, and run this command again."
        )
        raise SettingsError(msg)
    if not printing:
        keeping.check(settings)
    app = App(settings)

    def finish(tokens: Tokens) -> str:
        if tokens.refresh_token is None:
            msg = (
                "The sign-in host gave no refresh token: check that scope, if it is set, and the "
                "app registration allow offline_access."
            )
            raise SignInError(msg)
        found = identify(app.service, tokens)
        terminal.say(
            f"Signed in as {found.user}.",
            f"Organisation: {found.organisation}, at {settings.service_url}.",
        )
        if printing:
            keeping.show(settings, tokens.refresh_token)
        else:
            keeping.keep(settings, app, tokens.refresh_token)
            keeping.tell(values, configured)
        return found.page

    (browser if here else device).sign_in(app, finish)
