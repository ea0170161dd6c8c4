"""Token output: saves the refresh token for the tap, or prints it as an .env file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tap_dynamics365.auth import way
from tap_dynamics365.auth.token_store import StoredToken, TokenStore, authority, fingerprint
from tap_dynamics365.config_files import env_text
from tap_dynamics365.errors import SettingsError, TokenStoreError
from tap_dynamics365.login import settings_file, terminal
from tap_dynamics365.services.registry import complete_url
from tap_dynamics365.settings import Grant, Settings, connection_url
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.settings.environment import PREFIX
from tap_dynamics365.settings.table import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tap_dynamics365.login.app import App

# The settings that the tap needs, with the refresh token, to sign in as the same app.
SIGN_IN_SETTINGS = (
    "service_url",
    "token_uri",
    "client_id",
    "client_secret",
    "client_certificate",
    "client_certificate_password",
    "scope",
)
ADVICE = "Name another file, or add --print to print the token."


def _store(settings: Settings) -> TokenStore:
    return TokenStore(settings.token_store or "")


def check(settings: Settings, advice: str = ADVICE) -> None:
    """Check before the sign-in that a token can be saved.

    Args:
        settings: The settings, with a token store.
        advice: What to do if it can't be, in one sentence.

    Raises:
        TokenStoreError: No token can be saved in the token store.
    """
    store = _store(settings)
    try:
        with store.locked():
            store.check()
    except TokenStoreError as error:
        msg = f"{error.message} {advice}"
        raise TokenStoreError(msg) from None


def save_token(settings: Settings, app: App, refresh_token: str, advice: str = ADVICE) -> None:
    """Save a refresh token, which replaces the stored and the configured one.

    Args:
        settings: The settings, with a token store.
        app: The app that the token was issued to.
        refresh_token: The refresh token.
        advice: What to do if it can't be saved, in one sentence.

    Raises:
        TokenStoreError: The token can't be saved.
    """
    configured = settings.refresh_token
    token = StoredToken(
        refresh_token=refresh_token,
        client_id=app.client_id,
        authority=authority(app.tenant.token_uri),
        descends_from=fingerprint(configured) if configured else None,
    )
    store = _store(settings)
    try:
        with store.locked():
            store.write(token)
    except TokenStoreError as error:
        msg = f"{error.message} {advice}"
        raise TokenStoreError(msg) from None
    terminal.say(f"The refresh token is in {store.path}.")


def print_missing_settings(values: Mapping[str, Any], configured: Mapping[str, Any]) -> None:
    """Print whether the tap uses the saved token, and which settings it lacks for that.

    Args:
        values: The settings of this sign-in.
        configured: The settings that the tap has already.
    """
    url = configured.get("connection_url")
    known = {**(connection_url.parse(url)[0] if url else {}), **configured}
    missing = {name: value for name, value in values.items() if known.get(name) != value}
    if not missing:
        terminal.say("The tap uses it from its next run on.")
        return
    terminal.say(f"With its current settings, the tap's next run {_next_run(configured)}")
    terminal.say("", "To use the token, add these settings, here in the form of a .env file:", "")
    for name, value in missing.items():
        # A line with something else than the secret would be copied as it is.
        is_secret = SETTINGS[name].is_secret
        line = f"# {PREFIX}{name.upper()}= the value that you used" if is_secret else None
        terminal.say(line or env_text.line(name, value))


def _next_run(configured: Mapping[str, Any]) -> str:
    """Say how the tap signs in with the settings that it has already."""
    try:
        settings = Settings.from_config(configured, CONFIG_SCHEMA, complete_url=complete_url)
        is_stored = settings.grant is Grant.REFRESH_TOKEN and not settings.refresh_token
        stored = _store(settings).read() if is_stored else None
    except (SettingsError, TokenStoreError) as error:
        return f"does not start. {error.message}"
    if stored is not None and not _matches(stored, settings):
        return (
            "can't sign in: the token in token_store was issued to another app than client_id, or "
            "by another host than that of token_uri."
        )
    if settings.grant in {Grant.CLIENT_CERTIFICATE, Grant.CLIENT_SECRET}:
        return f"signs in as app {settings.client_id} with {way(settings)}."
    return f"signs in with {way(settings)}."


def _matches(stored: StoredToken, settings: Settings) -> bool:
    """Tell whether a stored token belongs to the app and the host in the settings."""
    if stored.client_id.lower() != (settings.client_id or "").lower():
        return False
    return not settings.token_uri or stored.authority == authority(settings.token_uri)


def write_settings(path: Path, settings: Settings) -> None:
    """Write the settings of this sign-in into a file, with secrets, and say where they are.

    Args:
        path: A file .env or config.json.
        settings: The settings, with a token store.

    Raises:
        InputError: The file can't be written.
    """
    names = (*SIGN_IN_SETTINGS, "token_store")
    given = {name: getattr(settings, name) for name in names}
    # The completed URL and its options.
    given["service_url"] = settings.address
    settings_file.write(path, {name: value for name, value in given.items() if value})
    source = path if path.suffix.lower() == settings_file.JSON_SUFFIX else "ENV"
    terminal.say(
        f"The settings are in {path}. To test them: tap-dynamics365 --config={source} --test"
    )


def print_env_file(settings: Settings, refresh_token: str) -> None:
    """Print the settings and the token as an .env file. No other output contains secrets.

    Args:
        settings: The settings of this sign-in.
        refresh_token: The refresh token.
    """
    for name in SIGN_IN_SETTINGS:
        if value := getattr(settings, name):
            click.echo(env_text.line(name, value))
    click.echo(env_text.line("refresh_token", refresh_token))
