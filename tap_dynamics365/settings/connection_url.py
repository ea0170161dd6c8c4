"""Connection URL: reads the JDBC URL of the DataDirect driver as settings of the tap.

read("jdbc:datadirect:dynamics365:ClientID=abc;FetchSize=250;")
# ({"client_id": "abc", "fetch_size": 250}, [])
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.settings.names import compare
from tap_dynamics365.settings.table import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_dynamics365.settings.setting import Setting

PREFIX = "jdbc:datadirect:dynamics365:"

#: The setting that mirrors a property of the driver.
MIRRORED = {
    setting.driver_property: setting.name
    for setting in SETTINGS.values()
    if setting.driver_property
}

# Its value has several attributes, with a semicolon between them, in parentheses.
_SPY = "SpyAttributes"
_SPY_VALUE = re.compile(rf"\s*{_SPY}\s*=\s*\(", re.IGNORECASE)

#: Properties that mean nothing to an extractor: they concern statement pools, batches, and the
#: logs of a JDBC connection. docs/driver-properties.md has the reason for each.
WITHOUT_EFFECT = frozenset(
    {
        "BatchUpdateChunkSize",
        "ConvertNull",
        "ImportStatementPool",
        "InsensitiveResultSetBufferSize",
        "JavaDoubleToString",
        "LogConfigFile",
        "LoginTimeout",
        "MaxPooledStatements",
        "RegisterStatementPoolMonitorMBean",
        "TransactionMode",
        _SPY,
    }
)

# Spelling of the driver, by lower case.
_PROPERTIES = {name.lower(): name for name in (*MIRRORED, *WITHOUT_EFFECT)}

#: The driver keeps a file of another format under the path in SchemaMap.
SCHEMA_MAP_SUFFIX = ".tap-dynamics365.json"


def read(url: str) -> tuple[dict[str, Any], list[str]]:
    """Read a connection URL as settings.

    Args:
        url: The connection URL.

    Returns:
        Values by setting name, in the types of the settings, and the names of the properties that
        have no effect.

    Raises:
        SettingsError: The URL is malformed, see `parse`, or a value is not of the type of its
            setting.
    """
    texts, ignored = parse(url)
    if "schema_map" in texts:
        texts["schema_map"] += SCHEMA_MAP_SUFFIX
    return {name: _convert(SETTINGS[name], text) for name, text in texts.items()}, ignored


def parse(url: str) -> tuple[dict[str, str], list[str]]:
    """Split a connection URL into its properties.

    Names are case-insensitive. Only `;` ends a value: `=`, `/`, `+`, and `:` are part of it.
    Spaces around a value are ignored. A value in curly brackets is taken as it is between them. An
    empty value means that the property is not set. Quotes around the URL, as around a string of
    Java, are ignored.

    Args:
        url: `jdbc:datadirect:dynamics365:Name=value;Name=value;…`, the format that is documented
            for the driver "Progress DataDirect for JDBC for Microsoft Dynamics 365".

    Returns:
        Texts by setting name, and the names of the properties that have no effect.

    Raises:
        SettingsError: The text is not a connection URL, or a property is unknown or occurs twice.
            The message contains names of properties, never a value.
    """
    url = _unquote(url)
    if url[: len(PREFIX)].lower() != PREFIX:
        msg = f"Setting connection_url must start with {PREFIX}, as the driver's URLs do."
        raise SettingsError(msg)

    texts: dict[str, str] = {}
    ignored: list[str] = []
    seen: list[str] = []
    for position, part in enumerate(_parts(url[len(PREFIX) :]), start=1):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        known = _find_property(name.strip()) if equals else None
        if known is None:
            raise SettingsError(_unknown_part(position, seen))
        if known in seen:
            msg = f"connection_url contains {known} twice: keep one of them."
            raise SettingsError(msg)
        seen.append(known)
        value = _unwrap(value.strip())
        if known in MIRRORED and value:
            texts[MIRRORED[known]] = value
        elif known in WITHOUT_EFFECT:
            ignored.append(known)
    return texts, ignored


def _unquote(url: str) -> str:
    """Return a URL without quotes around it, and without a semicolon after them."""
    text = url.strip()
    for quote in ("'", '"'):
        inner = text.removesuffix(";") if text.endswith(f"{quote};") else text
        if len(inner) > 1 and inner.startswith(quote) and inner.endswith(quote):
            return inner[1:-1].strip()
    return url


def _parts(text: str) -> Iterator[str]:
    """Yield the properties, which semicolons separate, except those in the value of SpyAttributes.

    https://docs.progress.com/bundle/datadirect-jdbc-reference/page/Using-the-JDBC-DriverManager.html
    """
    parts = text.split(";")
    while parts:
        # The fewest parts whose parentheses are closed.
        lengths = range(1, len(parts) + 1 if _SPY_VALUE.match(parts[0]) else 2)
        wholes = (";".join(parts[:length]) for length in lengths)
        whole = next((each for each in wholes if each.count("(") <= each.count(")")), parts[0])
        yield whole
        parts = parts[whole.count(";") + 1 :]


def _find_property(name: str) -> str | None:
    """Find a property.

    Args:
        name: The name, case-insensitive.

    Returns:
        The name in the spelling of the driver, or None if the name is unknown.

    Raises:
        SettingsError: The name is a misspelling of a property. Only then the message contains the
            name, because any other text may be a part of a secret.
    """
    key = name.lower()
    if key in _PROPERTIES:
        return _PROPERTIES[key]
    found = compare(name, _PROPERTIES.values())
    if found.is_misspelt:
        msg = f"connection_url has the unknown property {name!r}. Did you mean {found.near}?"
        raise SettingsError(msg)
    return None


def _unknown_part(position: int, before: Sequence[str]) -> str:
    """Describe a part of the URL that is not a property, without repeating its text.

    Args:
        position: Number of the part, from 1.
        before: Names of the properties before the part.
    """
    told = f"Part {position} of connection_url is not a property of the driver, such as ClientID=…;"
    if not before or before[-1] not in MIRRORED:
        return f"{told} Correct its name, or remove it."
    return (
        f"{told} If it is a part of the value of {before[-1]}, which then contains a ';', remove "
        f"{before[-1]} from the URL and set {MIRRORED[before[-1]]} instead."
    )


def _unwrap(value: str) -> str:
    wrapped = len(value) > 1 and value.startswith("{") and value.endswith("}")
    return value[1:-1] if wrapped else value


def _convert(setting: Setting, text: str) -> str | int | bool:
    """Convert a text to the type of its setting.

    Args:
        setting: The setting.
        text: The value in the URL.

    Returns:
        The value in JSON.

    Raises:
        SettingsError: The text is not a value of that type.
    """
    if setting.type == "integer":
        least = setting.minimum or 0
        greatest = math.inf if setting.maximum is None else setting.maximum
        if not re.fullmatch("[0-9]{1,20}", text) or not least <= int(text) <= greatest:
            bounds = (
                f"of {least} or more" if greatest == math.inf else f"from {least} to {greatest}"
            )
            msg = f"{setting.driver_property} in connection_url must be an integer {bounds}."
            raise SettingsError(msg)
        return int(text)
    if setting.type == "boolean":
        if text.lower() not in {"true", "false"}:
            msg = f"{setting.driver_property} in connection_url must be true or false."
            raise SettingsError(msg)
        return text.lower() == "true"
    return text
