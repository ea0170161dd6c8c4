"""Values: the text of a setting, as a field or a file .env has it, in the type of the setting."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

from tap_dynamics365.config_files.secrets import is_mask
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.settings.table import SETTINGS

# As the SDK reads them in variables.
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


# Their values could have a user and a password before the host.
_ADDRESSES = {"service_url", "token_uri", "auth_uri", "proxy_host"}


def unfit(name: str, value: Any) -> str | None:  # noqa: ANN401 - any value of JSON
    """Say why a value can't be that of a setting, whatever the setting means.

    Args:
        name: The name of the setting.
        value: The value.

    Returns:
        One sentence without the value; None if it can be.
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # JSON can have halves of characters, such as "\ud83d".
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        return f"Setting {name} has a character that no file can have: enter it again."
    if name in _ADDRESSES and "@" in text:
        return (
            f"Setting {name} has a user or password in its URL, which would be shown: enter the "
            "URL without them."
        )
    return None


def value_of(name: str, text: str) -> Any:  # noqa: ANN401 - any value of JSON
    """Read the text of a setting.

    Args:
        name: The name of the setting.
        text: The text.

    Returns:
        The value in the type of the setting; None if the text is empty.

    Raises:
        SettingsError: The text is not of the type of the setting. The message does not have the
            text, which may be a secret.
    """
    setting, text = SETTINGS[name], text.strip()
    if not text:
        return None
    if reason := unfit(name, text):
        raise SettingsError(reason)
    if setting.is_secret and is_mask(text):
        msg = f"Setting {name} is masked in what you entered: enter the secret itself."
        raise SettingsError(msg)
    match setting.type:
        case "integer":
            wanted = "a whole number"
            with suppress(ValueError):
                return int(text)
        case "boolean":
            wanted = "true or false"
            if text.lower() in {*TRUE, *FALSE}:
                return text.lower() in TRUE
        case "array" if not text.startswith("["):
            return [part.strip() for part in re.split(r"[,\n]", text) if part.strip()]
        case "array" | "object":
            wanted = "a JSON object" if setting.type == "object" else "a list of names"
            with suppress(ValueError):
                value = json.loads(text)
                if isinstance(value, dict if setting.type == "object" else list):
                    return value
        case _:
            return text
    msg = f"Setting {name} must be {wanted}."
    raise SettingsError(msg)
