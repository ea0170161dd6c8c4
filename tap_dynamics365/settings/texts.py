"""Settings from texts: for callers that have only texts, such as the options of Apache Spark.

from_texts({"fetch_size": "1000", "tables": "account,new_*"})
# {"fetch_size": 1000, "tables": ["account", "new_*"]}
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from tap_dynamics365.settings.table import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

# `int` does not accept all characters that are whitespace.
_INTEGER = re.compile(r"\s*([+-]?[0-9]{1,18})\s*")
_SWITCHES = {"true": True, "false": False}


def from_texts(texts: Mapping[str, str]) -> dict[str, Any]:
    """Convert texts to the types of their settings.

    Args:
        texts: A text by the name of its setting. An array is a JSON array, or names separated by
            commas; an object is a JSON object.

    Returns:
        The values. A text that is not of its setting's type stays as it is: `Settings.from_config`
        says what is wrong with it.
    """
    return {name: _convert(name, text) for name, text in texts.items()}


def _convert(name: str, text: str) -> Any:  # noqa: ANN401 - the type depends on the setting
    kind = SETTINGS[name].type if name in SETTINGS else "string"
    if kind == "integer" and (found := _INTEGER.fullmatch(text)):
        return int(found[1])
    if kind == "boolean":
        return _SWITCHES.get(text.strip().lower(), text)
    if kind == "array":
        return texts_of(text)
    return _decoded(text, dict[str, str]) if kind == "object" else text


def texts_of(text: str) -> Any:  # noqa: ANN401 - a list, or the text
    """Read a list.

    Args:
        text: A JSON array of texts, or texts separated by commas.

    Returns:
        The list; the text itself if it begins as a JSON array and is none.
    """
    if text.lstrip().startswith("["):
        return _decoded(text, list[str])
    return [part.strip() for part in text.split(",") if part.strip()]


def _decoded(text: str, form: Any) -> Any:  # noqa: ANN401 - a type with arguments, and its value
    try:
        return msgspec.json.decode(text, type=form)
    except (msgspec.DecodeError, RecursionError):
        return text
