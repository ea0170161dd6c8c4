"""Connection URL: writes settings as the JDBC URL of the DataDirect driver.

It is the inverse of `tap_dynamics365.settings.connection_url`.

    write({"client_id": "abc", "fetch_size": 250}).url
    # "jdbc:datadirect:dynamics365:ClientID=abc;FetchSize=250;"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tap_dynamics365.config_files.found import Found
from tap_dynamics365.config_files.secrets import MASK
from tap_dynamics365.settings import connection_url
from tap_dynamics365.settings.connection_url import PREFIX, SCHEMA_MAP_SUFFIX
from tap_dynamics365.settings.table import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping


class Written(NamedTuple):
    """A connection URL.

    Attributes:
        url: The URL, with secrets.
        redacted: The URL with a mask in place of each secret.
        left_out: Which settings it can't have, and why: one sentence each, without a value.
    """

    url: str
    redacted: str
    left_out: list[str]


def load(url: str) -> Found:
    """Read settings from a connection URL.

    Args:
        url: The URL.

    Raises:
        SettingsError: It is malformed. The message has no value.
    """
    settings, ignored = connection_url.read(url)
    return Found(settings, [f"{name} has no effect in the tap." for name in ignored])


def write(settings: Mapping[str, Any]) -> Written:
    """Write settings as a connection URL.

    Args:
        settings: Values by setting name.
    """
    url = redacted = PREFIX
    left_out = []
    # Other settings take precedence over the properties of a URL.
    parsed = (
        connection_url.read(settings["connection_url"])[0] if "connection_url" in settings else {}
    )
    for name, value in {**parsed, **settings, "connection_url": None}.items():
        if value is None or value == "":
            continue
        known = SETTINGS.get(name)
        if known is None or not known.driver_property:
            left_out.append(f"{name}: the driver has no such property.")
            continue
        text = _text(name, value)
        if text is None:
            left_out.append(f"{name}: a property can't have its value.")
            continue
        url += f"{known.driver_property}={text};"
        redacted += f"{known.driver_property}={MASK if known.is_secret else text};"
    return Written(url, redacted, left_out)


def _text(name: str, value: Any) -> str | None:  # noqa: ANN401 - any value of JSON
    """Write a value; None if a URL can't have it."""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    if name == "schema_map":
        # The tap appends it to the path of the driver's file.
        if not text.endswith(SCHEMA_MAP_SUFFIX):
            return None
        text = text.removesuffix(SCHEMA_MAP_SUFFIX)
    if ";" in text or not text:
        return None
    is_bare = text == text.strip() and not (text.startswith("{") and text.endswith("}"))
    return text if is_bare else f"{{{text}}}"
