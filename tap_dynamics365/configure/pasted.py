"""Pasted settings: a connection URL of the driver, a config.json, or a file .env."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tap_dynamics365.config_files import config_json, connection_url, env_text, found
from tap_dynamics365.config_files.secrets import is_mask, is_secret_setting
from tap_dynamics365.configure.values import unfit
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.settings.connection_url import PREFIX
from tap_dynamics365.settings.environment import PREFIX as VARIABLES
from tap_dynamics365.settings.table import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

URL, CONFIG, ENV = "connection URL", "config.json", "file .env"


class Pasted(NamedTuple):
    """What a pasted text has.

    Attributes:
        what: What the text is.
        settings: Values by setting name.
        ignored: What was ignored, and why: one sentence each, without a value.
    """

    what: str
    settings: dict[str, Any]
    ignored: list[str]


def read(text: str) -> Pasted:
    """Read a pasted text.

    Args:
        text: The text.

    Returns:
        The settings in it.

    Raises:
        InputError: The text begins like a config.json, and is not JSON.
        SettingsError: The text is none of the three, or its connection URL is malformed. No message
            has the text, which may have secrets.
    """
    what, settings, ignored = _read(text.strip())
    masked = [name for name, each in settings.items() if is_secret_setting(name) and is_mask(each)]
    for name in masked:
        del settings[name]
        ignored.append(f"{name} is masked in the text: it stays as it is here.")
    fit, reasons = fitting(settings)
    return Pasted(what, fit, [*ignored, *reasons])


def fitting(settings: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Leave out the values that can't be those of settings.

    Args:
        settings: Values by setting name.

    Returns:
        The other values, and why each one was left out.
    """
    reasons = {
        name: reason
        for name, each in settings.items()
        if name in SETTINGS and (reason := unfit(name, each))
    }
    return {k: v for k, v in settings.items() if k not in reasons}, [*reasons.values()]


def _read(text: str) -> Pasted:
    if text.lstrip("'\"").lower().startswith(PREFIX):
        return Pasted(URL, *connection_url.load(text))
    if text.startswith("{"):
        return Pasted(CONFIG, *expanded(config_json.load(text)))
    if texts := env_text.load(text):
        return Pasted(ENV, *expanded(found.from_texts(texts)))
    msg = (
        f"The text is no connection URL ({PREFIX}…), no config.json and no file .env "
        f"({VARIABLES}SERVICE_URL=…)."
    )
    raise SettingsError(msg)


def expanded(loaded: found.Found) -> found.Found:
    """Replace a connection URL among settings by its properties.

    Args:
        loaded: The settings, which take precedence over the properties.

    Raises:
        SettingsError: The connection URL is malformed.
    """
    others = {name: each for name, each in loaded.settings.items() if name != "connection_url"}
    if not (url := loaded.settings.get("connection_url")):
        return found.Found(others, loaded.ignored)
    from_url = connection_url.load(url)
    return found.Found({**from_url.settings, **others}, [*loaded.ignored, *from_url.ignored])
