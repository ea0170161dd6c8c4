"""Login settings: the settings of the tap, and questions for those that are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.login import terminal
from tap_dynamics365.settings import connection_url, environment
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.settings.table import SETTINGS
from tap_dynamics365.singer.input_files import read_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Outside of any project, so that the token is not committed to version control.
DEFAULT_STORE = "~/.tap-dynamics365/token.json"

#: The questions, by setting.
QUESTIONS = {
    "service_url": (
        "Address of the service, such as https://yourorg.crm.dynamics.com, "
        "https://yourorg.operations.dynamics.com or "
        "https://api.businesscentral.dynamics.com/v2.0/<tenant>/<environment> (to choose from a "
        "list of your Dataverse environments, press Enter)"
    ),
    "token_uri": (
        "Directory (tenant) ID of the app registration, or the URL of another token endpoint"
    ),
    "client_id": "Application (client) ID of the app registration",
    "client_secret": "Client secret, which is not shown (for a public client, press Enter)",
    "token_store": "File to keep the refresh token in (to print it instead, use --print)",
}


def configured(files: Sequence[str], folder: Path | None = None) -> dict[str, Any]:
    """Read the settings of the tap.

    Args:
        files: The configuration files. Later files take precedence over earlier ones, and all of
            them over environment variables.
        folder: The folder whose file .env is read. By default, the working folder.

    Returns:
        Values by setting name.

    Raises:
        InputError: A file can't be read, or a variable has an invalid value.
    """
    environment.check(CONFIG_SCHEMA, folder)
    config = environment.read(CONFIG_SCHEMA)
    # In the option --config of the tap, ENV stands for the environment variables.
    config |= read_config(file for file in files if file != "ENV")
    return {name: value for name, value in config.items() if value is not None and value != ""}


def complete(config: Mapping[str, Any], *, printing: bool) -> dict[str, Any]:
    """Ask the person for missing settings.

    Args:
        config: The known settings.
        printing: Whether the token is printed instead of kept.

    Returns:
        The known settings, and the answers.

    Raises:
        SettingsError: A setting is missing, and there is no terminal to ask the person.
    """
    known, url = dict(config), config.get("connection_url")
    if isinstance(url, str):
        known = {**connection_url.parse(url)[0], **known}
    wanted = [name for name in ("service_url", "client_id") if name not in known]
    if "client_id" in wanted and not {"client_secret", "client_certificate"} & known.keys():
        wanted.append("client_secret")
    if not printing and "token_store" not in known:
        wanted.append("token_store")
    no_tenant = "token_uri" not in known
    if not terminal.is_interactive():
        _raise_if_missing([name for name in wanted if name != "service_url" or no_tenant])
        return dict(config)
    answers = {}
    for name in wanted:
        answers[name] = _ask(name)
        if name == "service_url" and not answers[name] and no_tenant:
            # The list of environments belongs to no tenant, and can't say where to sign in.
            answers["token_uri"] = _token_uri(_ask("token_uri"))
    return {**config, **{name: answer for name, answer in answers.items() if answer}}


def _token_uri(answer: str) -> str:
    """Return the token endpoint of a tenant in the commercial cloud; a URL as it is."""
    if "/" in answer:
        return answer
    return f"https://login.microsoftonline.com/{answer}/oauth2/v2.0/token"


def _ask(name: str) -> str:
    """Ask for a setting."""
    hidden = SETTINGS[name].is_secret
    default = {"service_url": "", "client_secret": "", "token_store": DEFAULT_STORE}.get(name)
    return terminal.ask(f"{QUESTIONS[name]} ({name})", default, hidden=hidden)


def _raise_if_missing(wanted: Sequence[str]) -> None:
    """Raise if a setting is missing that has no default."""
    for name in wanted:
        option = f"--{name.replace('_', '-')}"
        if name in {"service_url", "client_id"}:
            msg = (
                f"Setting {name} is missing: add {option}, or --config with a configuration file "
                "of the tap."
            )
            if name == "service_url":
                msg += " To list your environments, add --token-uri."
            raise SettingsError(msg)
        if name == "token_store":
            msg = (
                "There is no place for the refresh token: add --token-store with a file to keep it "
                "in (the setting token_store), or --print to print it."
            )
            raise SettingsError(msg)
