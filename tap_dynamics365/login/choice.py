"""Choice of an environment: a person signs in, and chooses from the list of environments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.connection import read_directory
from tap_dynamics365.errors import SettingsError, SignInError
from tap_dynamics365.login import terminal
from tap_dynamics365.login.identity import use
from tap_dynamics365.text_table import text_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_dynamics365.auth.token_endpoint import Tokens
    from tap_dynamics365.login.app import App
    from tap_dynamics365.services.directory import Directory, Environment

    SignIn = Callable[[App, Callable[[Tokens], str]], None]

DISABLED = "disabled"


def choose(app: App, directory: Directory, sign_in: SignIn) -> tuple[str, str]:
    """Sign a person in, who chooses an environment.

    Args:
        app: The app registration, for the list of environments.
        directory: The list.
        sign_in: Signs the person in.

    Returns:
        The URL of the environment, and the refresh token of the person.

    Raises:
        Dynamics365Error: Nobody signed in, there is no list or no environment in it, or no
            terminal to choose from it.
    """
    found: list[Environment] = []
    refresh_tokens: list[str] = []

    def take(tokens: Tokens) -> str:
        if tokens.refresh_token is None:
            raise no_refresh_token()
        refresh_tokens.append(tokens.refresh_token)
        use(app.service, tokens)
        found.extend(read_directory(app.service, directory))
        return "Choose an environment in the terminal."

    sign_in(app, take)
    return _choose(found), refresh_tokens[0]


def no_refresh_token() -> SignInError:
    """Make the error of a sign-in host that issued no refresh token."""
    return SignInError(
        "The sign-in host issued no refresh token: check that the app registration and, if it is "
        "set, scope allow offline_access."
    )


def _choose(found: Sequence[Environment]) -> str:
    """Show the environments, and ask for one of them."""
    usable = [each for each in found if each.state != DISABLED]
    if not usable:
        count = f", of which none is enabled ({len(found)} found)" if found else ""
        msg = (
            f"There is no environment in the list{count}: sign in as another user, or add "
            "--service-url with the URL of an environment."
        )
        raise SettingsError(msg)
    terminal.say("", *_table(usable), "")
    if left := len(found) - len(usable):
        terminal.say(f"Left out because disabled: {left}.", "")
    if not terminal.is_interactive():
        msg = (
            "Setting service_url is missing: run the command again with --service-url and one of "
            "these URLs."
        )
        raise SettingsError(msg)
    numbers = {str(number): each for number, each in enumerate(usable, 1)}
    default = "1" if len(numbers) == 1 else None
    while (answer := terminal.ask("Number of the environment", default)) not in numbers:
        terminal.say(f"Enter a number from 1 to {len(numbers)}.")
    return numbers[answer].url


def _table(usable: Sequence[Environment]) -> Sequence[str]:
    rows = [
        (str(number), each.name, each.type or "", each.region or "", each.url)
        for number, each in enumerate(usable, 1)
    ]
    headings = ("", "environment", "type", "region", "service_url")
    return [*text_table(headings, rows, right=[0], whole=[0, len(headings) - 1])]
