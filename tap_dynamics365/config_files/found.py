"""Settings that are found in a file, a URL, or a text that a person pastes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPES = {"array": list, "boolean": bool, "integer": int, "object": dict, "string": str}
_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


class Found(NamedTuple):
    """What is found.

    Attributes:
        settings: Values by setting name.
        ignored: What was ignored, and why: one sentence each, without a value.
    """

    settings: dict[str, Any]
    ignored: list[str]


def known(values: Mapping[str, Any]) -> Found:
    """Take the values of settings, in the types of JSON.

    Args:
        values: Values by name.

    Returns:
        The settings of the tap among them. Values of None or an empty text are no settings.
    """
    found = Found({}, [])
    for name, value in values.items():
        if name not in CONFIG_SCHEMA["properties"]:
            found.ignored.append(f"{name} is not a setting of the tap.")
        elif value is None or value == "":
            continue
        elif not _fits(value, kind := type_of(name)):
            found.ignored.append(f"{name} must be of the type {kind}.")
        else:
            found.settings[name] = value
    return found


def from_texts(texts: Mapping[str, str]) -> Found:
    """Take the values of settings from texts, as environment variables have them.

    Args:
        texts: Texts by setting name.
    """
    return known({name: _parsed(text, type_of(name)) for name, text in texts.items()})


def type_of(name: str) -> str:
    """Return the JSON type of a setting; `string` for an unknown one.

    Args:
        name: The name of the setting.
    """
    declared = CONFIG_SCHEMA["properties"].get(name, {}).get("type", "string")
    found = [
        each for each in ([declared] if isinstance(declared, str) else declared) if each != "null"
    ]
    return str(found[0])


def new(settings: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what a file needs no line for: what it has already, and defaults.

    Args:
        settings: Values by setting name; None or an empty text if it is not to be set.
        present: The values that the file has.

    Returns:
        The values to set; None for one to remove.
    """
    changed: dict[str, Any] = {}
    for name, value in settings.items():
        if value is None or value == "":
            if name in present:
                changed[name] = None
        elif name in present:
            if present[name] != value:
                changed[name] = value
        elif value != CONFIG_SCHEMA["properties"].get(name, {}).get("default"):
            changed[name] = value
    return changed


def _fits(value: Any, kind: str) -> bool:  # noqa: ANN401 - any value of JSON
    wanted = _TYPES[kind]
    return isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))


def _parsed(text: str, kind: str) -> Any:  # noqa: ANN401 - any value of JSON
    """Return what a text means; the text itself, where it does not fit."""
    if kind == "boolean":
        return _BOOLEANS.get(text.lower(), text)
    if kind == "string" or not text:
        return text
    if kind == "array" and not text.lstrip().startswith("["):
        # As the SDK reads variables.
        return text.split(",")
    try:
        return json.loads(text)
    except ValueError:
        return text
