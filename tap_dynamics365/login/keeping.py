"""What becomes of the refresh token: it is kept for the tap, or printed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from tap_dynamics365.auth import way
from tap_dynamics365.auth.token_store import StoredToken, TokenStore, authority, fingerprint
from tap_dynamics365.errors import SettingsError, TokenStoreError
from tap_dynamics365.login import terminal
from tap_dynamics365.settings import Grant, Settings, connection_url
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.settings.environment import PREFIX
from tap_dynamics365.settings.table import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamics365.login.app import App

# With the refresh token, what the tap has to know to sign in as the same app.
SIGN_IN_SETTINGS = (
    "service_url",
    "token_uri",
    "client_id",
    "client_secret",
    "client_certificate",
    "client_certificate_password",
    "scope",
)
OTHER_WAY = "Name another file, or add --print to have the token printed."


def _store(settings: Settings) -> TokenStore:
    return TokenStore(settings.token_store or "")


def check(settings: Settings) -> None:
    """See whether a token can be kept, before somebody signs in for nothing.

    Args:
        settings: Those with a token store.

    Raises:
        TokenStoreError: It can't.
    """
    store = _store(settings)
    try:
        with store.locked():
            store.check()
    except TokenStoreError as error:
        msg = f"{error.message} {OTHER_WAY}"
        raise TokenStoreError(msg) from None


def keep(settings: Settings, app: App, refresh_token: str) -> None:
    """Keep a token: it takes the place of the stored one, and of the configured one.

    Args:
        settings: Those with a token store.
        app: The app that it was issued to.
        refresh_token: The token.

    Raises:
        TokenStoreError: It can't be kept.
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
        msg = f"{error.message} {OTHER_WAY}"
        raise TokenStoreError(msg) from None
    terminal.say(f"The refresh token is in {store.path}.")


def tell(values: Mapping[str, Any], configured: Mapping[str, Any]) -> None:
    """Tell whether the tap uses the kept token, and which settings it needs for that.

    Args:
        values: The settings of this sign-in.
        configured: Those that the tap has already.
    """
    url = configured.get("connection_url")
    known = {**(connection_url.parse(url)[0] if url else {}), **configured}
    missing = {name: value for name, value in values.items() if known.get(name) != value}
    if not missing:
        terminal.say("The tap uses it from its next run on.")
        return
    terminal.say(f"As it is configured now, the tap's next run {_next_run(configured)}")
    terminal.say("", "Settings that the tap needs for it, as in a file .env:", "")
    for name, value in missing.items():
        terminal.say(line(name, "…" if SETTINGS[name].is_secret else value))


def _next_run(configured: Mapping[str, Any]) -> str:
    """Tell how the tap signs in with the settings that it has already."""
    try:
        settings = Settings.from_config(configured, CONFIG_SCHEMA)
        is_stored = settings.grant is Grant.REFRESH_TOKEN and not settings.refresh_token
        stored = _store(settings).read() if is_stored else None
    except (SettingsError, TokenStoreError) as error:
        return f"does not start. {error.message}"
    if stored is not None and not _fits(stored, settings):
        return (
            "can't sign in: the token in token_store was issued to another app than client_id, or "
            "by another host than that of token_uri."
        )
    if settings.grant in {Grant.CLIENT_CERTIFICATE, Grant.CLIENT_SECRET}:
        return f"signs in as app {settings.client_id} with {way(settings)}."
    return f"signs in with {way(settings)}."


def _fits(stored: StoredToken, settings: Settings) -> bool:
    """Tell whether a stored token is of the app and the host that the settings name."""
    if stored.client_id.lower() != (settings.client_id or "").lower():
        return False
    return not settings.token_uri or stored.authority == authority(settings.token_uri)


def show(settings: Settings, refresh_token: str) -> None:
    """Print the settings with the token, for a file `.env`: nowhere else is a secret shown.

    Args:
        settings: Those of this sign-in.
        refresh_token: The token.
    """
    for name in SIGN_IN_SETTINGS:
        if value := getattr(settings, name):
            click.echo(line(name, value))
    click.echo(line("refresh_token", refresh_token))


def line(name: str, value: str) -> str:
    """Write a setting as a variable of a file `.env`.

    Args:
        name: The setting.
        value: What it is set to.

    Returns:
        The line.
    """
    if not re.fullmatch(r"[\w./:@%+=~,…-]+", value):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        value = f"'{escaped}'"
    return f"{PREFIX}{name.upper()}={value}"
