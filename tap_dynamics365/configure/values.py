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
