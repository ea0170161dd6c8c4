"""The settings of the command: those of the tap, and what is asked for where they are not set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.configuration._dict_config import parse_environment_config

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.login import terminal
from tap_dynamics365.settings import connection_url, environment
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.settings.table import SETTINGS
from tap_dynamics365.singer.input_files import read_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Out of the way of version control, which would make the token known to everybody.
DEFAULT_STORE = "~/.tap-dynamics365/token.json"

#: What the person is asked, by setting.
QUESTIONS = {
    "service_url": (
        "Address of the Web API, such as https://yourorg.api.crm.dynamics.com/api/data/v9.2/"
    ),
    "client_id": "Application (client) ID of the app registration",
    "client_secret": "Client secret; it is not shown; a public client has none: just press Enter",
    "token_store": "File to keep the refresh token in; or end with Ctrl-C and add --print",
}


def configured(files: Sequence[str]) -> dict[str, Any]:
    """Read what is configured for the tap.

    Args:
        files: Its configuration files; a later one wins, and each of them over the environment.

    Returns:
        Values by setting name.

    Raises:
        InputError: A file can't be read, or a variable is not what it should be.
    """
    environment.check(CONFIG_SCHEMA)
    config = parse_environment_config(CONFIG_SCHEMA, environment.PREFIX)
    # What the tap's own --config calls the environment.
    config |= read_config(file for file in files if file != "ENV")
    return {name: value for name, value in config.items() if value is not None and value != ""}


def complete(config: Mapping[str, Any], *, printing: bool) -> dict[str, Any]:
    """Add what is missing for a sign-in, asking the person for it.

    Args:
        config: What is known.
        printing: Whether the token is to be printed, and not kept.

    Returns:
        What is known now.

    Raises:
        SettingsError: Something is missing, and there is nobody to ask.
    """
    known, url = dict(config), config.get("connection_url")
    if isinstance(url, str):
        known = {**connection_url.parse(url)[0], **known}
    wanted = [name for name in ("service_url", "client_id") if name not in known]
    if "client_id" in wanted and not {"client_secret", "client_certificate"} & known.keys():
        wanted.append("client_secret")
    if not printing and "token_store" not in known:
        wanted.append("token_store")
    if not terminal.is_there():
        _refuse(wanted)
        return dict(config)
    answers = {name: _ask(name) for name in wanted}
    return {**config, **{name: answer for name, answer in answers.items() if answer}}


def _ask(name: str) -> str:
    """Ask for a setting."""
    hidden = SETTINGS[name].is_secret
    default = {"client_secret": "", "token_store": DEFAULT_STORE}.get(name)
    return terminal.ask(f"{QUESTIONS[name]} ({name})", default, hidden=hidden)


def _refuse(wanted: Sequence[str]) -> None:
    """Raise if something is missing that can't be asked for."""
    for name in wanted:
        option = f"--{name.replace('_', '-')}"
        if name in {"service_url", "client_id"}:
            msg = (
                f"Setting {name} is missing: give {option}, or --config with a file of the tap's "
                "settings."
            )
            raise SettingsError(msg)
        if name == "token_store":
            msg = (
                "There is no place for the refresh token: give --token-store with a file to keep "
                "it in (the setting token_store), or --print to have it printed."
            )
            raise SettingsError(msg)
