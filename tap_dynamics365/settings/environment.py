"""Variables of the environment that settings are read from, checked before the SDK reads them."""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.configuration._dict_config import parse_environment_config

from tap_dynamics365.errors import InputError
from tap_dynamics365.settings.names import Unknown, compare

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX = "TAP_DYNAMICS365_"
# The SDK's own, which is no setting.
LOG_LEVEL = "loglevel"

# What the SDK takes for true, and what can be meant by the rest of what it takes for false.
_BOOLEAN = re.compile(r"true|1|yes|on|false|0|no|off", re.IGNORECASE)
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,18}\s*")

logger = logging.getLogger("tap-dynamics365.environment")


def check(schema: Mapping[str, Any]) -> None:
    """Check the variables before settings are read from them.

    Args:
        schema: The JSON Schema of the settings.

    Raises:
        InputError: A variable misspells the name of a setting, or its value is not of the
            setting's type; or a file .env can't be read. The message never repeats a value, for
            it may be a secret.
    """
    try:
        # The SDK reads a file .env too; without settings, it does no more than that.
        parse_environment_config({}, PREFIX)
    except OSError as error:
        msg = f"The file .env can't be read ({error.strerror})."
        raise InputError(msg) from None
    except ValueError:
        # UTF-16 without a byte-order mark is UTF-8 with characters that no variable can hold.
        msg = "The file .env is not in UTF-8: save it in that encoding."
        raise InputError(msg) from None
    for variable in _unknown(schema):
        if variable.is_misspelt:
            msg = (
                f"There is no setting for the variable {variable.name}: rename it to "
                f"{variable.near}, or remove it."
            )
            raise InputError(msg)
        logger.warning("There is no setting for the variable %s: it is ignored.", variable.name)
    for name, setting in schema["properties"].items():
        variable_name = f"{PREFIX}{name.upper()}"
        wanted = _wanted(setting, os.environ.get(variable_name))
        if wanted is not None:
            msg = f"The variable {variable_name} must be {wanted}."
            raise InputError(msg)


def warn(schema: Mapping[str, Any]) -> None:
    """Warn of misspelt variables where another program reads them, such as Meltano.

    Args:
        schema: The JSON Schema of the settings.
    """
    for variable in _unknown(schema):
        if variable.is_misspelt:
            logger.warning(
                "There is no setting for the variable %s: is %s meant?",
                variable.name,
                variable.near,
            )


def _unknown(schema: Mapping[str, Any]) -> Iterator[Unknown]:
    known = schema["properties"]
    names = (name[len(PREFIX) :].lower() for name in os.environ if name.startswith(PREFIX))
    for name in sorted(names):
        if name.startswith("_") or name in {*known, LOG_LEVEL}:
            # Meltano's own begin with an underscore.
            continue
        found = compare(name, known)
        near = found.near or ""
        # As of Meltano's plugin tap-dynamics365-eu: TAP_DYNAMICS365_EU_SERVICE_URL.
        if not near or not name.endswith(f"_{near}"):
            near = near and f"{PREFIX}{near.upper()}"
            yield Unknown(f"{PREFIX}{name.upper()}", near or None, found.is_misspelt)


def _wanted(setting: Mapping[str, Any], value: str | None) -> str | None:
    """Tell what a variable should be, if its value is something else."""
    if value is None:
        return None
    kinds = setting["type"]
    if "integer" in kinds and not _INTEGER.fullmatch(value):
        return "a whole number"
    if "boolean" in kinds and value and not _BOOLEAN.fullmatch(value):
        return "true or false"
    if "object" in kinds and not _is_json(value, dict[str, Any]):
        return "an object in JSON"
    # Without a bracket, the SDK takes it for names with commas between them.
    if "array" in kinds and value.lstrip().startswith("[") and not _is_json(value, list[Any]):
        return "an array in JSON"
    return None


def _is_json(text: str, form: Any) -> bool:  # noqa: ANN401 - a type, or one with arguments
    try:
        msgspec.json.decode(text, type=form)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
