"""Environment variables of the settings: checked before the SDK reads them."""

from __future__ import annotations

import logging
import os
import re
from contextlib import chdir
from typing import TYPE_CHECKING, Any

import msgspec
from dotenv import find_dotenv, load_dotenv
from singer_sdk.configuration._dict_config import parse_environment_config

from tap_dynamics365.errors import InputError
from tap_dynamics365.settings.names import Unknown, compare

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PREFIX = "TAP_DYNAMICS365_"
# TAP_DYNAMICS365_LOGLEVEL is read by the SDK and is not a setting.
LOG_LEVEL = "loglevel"

# The SDK reads the first four as true, and any other text as false. Of these, only the next four
# mean false.
_BOOLEAN = re.compile(r"true|1|yes|on|false|0|no|off", re.IGNORECASE)
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,18}\s*")

logger = logging.getLogger("tap-dynamics365.environment")


def check(schema: Mapping[str, Any], folder: Path | None = None) -> None:
    """Load a file .env of a folder or a folder above it, and check all variables.

    Args:
        schema: JSON Schema of the settings.
        folder: The folder. By default, the working folder.

    Raises:
        InputError: The name of a variable misspells a setting, or a value is not of the setting's
            type, or the file .env can't be read. The message never contains a value, because the
            value may be a secret.
    """
    try:
        # Variables that are set take precedence over the file.
        with chdir(folder or "."):
            found = find_dotenv(usecwd=True)
        load_dotenv(found)
    except OSError as error:
        msg = f"The file .env can't be read ({error.strerror})."
        raise InputError(msg) from None
    except ValueError:
        # UTF-16 without a byte-order mark decodes as UTF-8, with NUL characters that no variable
        # can contain.
        msg = "The file .env is not encoded in UTF-8: save it as UTF-8."
        raise InputError(msg) from None
    for variable in _find_unknown(schema):
        if variable.is_misspelt:
            msg = f"Unknown variable {variable.name}: rename it to {variable.near}, or remove it."
            raise InputError(msg)
        logger.warning("Unknown variable %s is ignored: no setting has this name.", variable.name)
    for name, setting in schema["properties"].items():
        variable_name = f"{PREFIX}{name.upper()}"
        expected = _expected(setting, os.environ.get(variable_name))
        if expected is not None:
            msg = f"The variable {variable_name} must be {expected}."
            raise InputError(msg)


def read(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Read settings from variables that `check` has checked.

    Args:
        schema: JSON Schema of the settings.

    Returns:
        Values by setting name.
    """
    # The SDK itself would look for a file .env above its own code, and prefer it to variables.
    return parse_environment_config(dict(schema), PREFIX, os.devnull)


def warn(schema: Mapping[str, Any]) -> None:
    """Warn of misspelt variables, for runs where another program such as Meltano reads them.

    Args:
        schema: JSON Schema of the settings.
    """
    for variable in _find_unknown(schema):
        if variable.is_misspelt:
            logger.warning("Unknown variable %s: did you mean %s?", variable.name, variable.near)


def _find_unknown(schema: Mapping[str, Any]) -> Iterator[Unknown]:
    """Find the variables with the prefix that no setting has."""
    known = schema["properties"]
    names = (name[len(PREFIX) :].lower() for name in os.environ if name.startswith(PREFIX))
    for name in sorted(names):
        if name.startswith("_") or name in {*known, LOG_LEVEL}:
            # Meltano's own variables start with an underscore.
            continue
        found = compare(name, known)
        near = found.near or ""
        # Meltano sets TAP_DYNAMICS365_EU_SERVICE_URL for a plugin named tap-dynamics365-eu.
        if not near or not name.endswith(f"_{near}"):
            near = near and f"{PREFIX}{near.upper()}"
            yield Unknown(f"{PREFIX}{name.upper()}", near or None, found.is_misspelt)


def _expected(setting: Mapping[str, Any], value: str | None) -> str | None:
    """Check the value of a variable.

    Args:
        setting: JSON Schema of the setting.
        value: The value, or None if the variable is not set.

    Returns:
        The type that the value must have, or None if the value is valid.
    """
    if value is None:
        return None
    types = setting["type"]
    if "integer" in types and not _INTEGER.fullmatch(value):
        return "an integer"
    if "boolean" in types and value and not _BOOLEAN.fullmatch(value):
        return "true or false"
    if "object" in types and not _is_json(value, dict[str, Any]):
        return "a JSON object"
    # The SDK reads a value without a bracket as names separated by commas.
    if "array" in types and value.lstrip().startswith("[") and not _is_json(value, list[Any]):
        return "a JSON array"
    return None


def _is_json(text: str, form: Any) -> bool:  # noqa: ANN401 - a type, or one with arguments
    try:
        msgspec.json.decode(text, type=form)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
