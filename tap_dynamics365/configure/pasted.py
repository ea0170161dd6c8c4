"""Pasted settings: a connection URL of the driver, a config.json, or a file .env."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any, NamedTuple

from dotenv.parser import parse_stream

from tap_dynamics365.configure.values import value_of
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.settings import checks, connection_url
from tap_dynamics365.settings.environment import PREFIX
from tap_dynamics365.settings.schema import JSON_SCHEMA
from tap_dynamics365.settings.table import SETTINGS


class Pasted(NamedTuple):
    """What a pasted text has.

    Attributes:
        what: What the text is.
        values: Values by setting name.
        ignored: Names in it that are no setting, or have no effect.
    """

    what: str
    values: dict[str, Any]
    ignored: list[str]


def read(text: str) -> Pasted:
    """Read a pasted text.

    Args:
        text: The text.

    Returns:
        The settings in it.

    Raises:
        SettingsError: The text is none of the three, or has a value of a wrong type. The message
            does not have the text, which may have secrets.
    """
    text = text.strip()
    if text.lstrip("'\"").lower().startswith(connection_url.PREFIX):
        values, ignored = connection_url.read(text)
        return Pasted("connection URL", values, ignored)
    if text.startswith("{"):
        return _config(text)
    variables = {
        binding.key: binding.value
        for binding in parse_stream(StringIO(text))
        if binding.key and binding.value is not None
    }
    if not variables:
        msg = (
            "The text is no connection URL (jdbc:datadirect:dynamics365:…), no config.json and no "
            f"file .env ({PREFIX}SERVICE_URL=…)."
        )
        raise SettingsError(msg)
    values, ignored = dict[str, Any](), list[str]()
    for variable, each in variables.items():
        name = variable.removeprefix(PREFIX).lower()
        if variable.startswith(PREFIX) and name in SETTINGS:
            if (value := value_of(name, each)) is not None:
                values[name] = value
        else:
            ignored.append(variable)
    return expanded("file .env", values, ignored)


def _config(text: str) -> Pasted:
    """Read the text of a config.json."""
    try:
        config = json.loads(text)
    except ValueError:
        msg = "The text begins like a config.json, and is not JSON: it may be cut off."
        raise SettingsError(msg) from None
    known = {
        name: value
        for name, value in config.items()
        if name in SETTINGS and value is not None and value != ""
    }
    checks.check_types(known, JSON_SCHEMA)
    return expanded("config.json", known, [name for name in config if name not in known])


def expanded(what: str, values: dict[str, Any], ignored: list[str]) -> Pasted:
    """Replace a connection URL among settings by its properties.

    Args:
        what: What has the settings.
        values: Values by setting name, which take precedence over the properties.
        ignored: Names that are no setting.

    Raises:
        SettingsError: The connection URL is not valid.
    """
    others = {name: value for name, value in values.items() if name != "connection_url"}
    if "connection_url" not in values:
        return Pasted(what, others, ignored)
    from_url, without_effect = connection_url.read(values["connection_url"])
    return Pasted(what, {**from_url, **others}, [*ignored, *without_effect])
