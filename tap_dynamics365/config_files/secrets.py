"""Secrets: which values of a file are not shown."""

from __future__ import annotations

import re

from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.settings.table import SETTINGS

#: What is shown in place of a secret.
MASK = "••••"
# Names of other programs' secrets.
_SECRET_NAME = re.compile(
    r"(?:password|passphrase|secret|token|credentials?|(?:api|access|private)_?key|"
    r"connection_string|dsn)$",
    re.IGNORECASE,
)
# A URL with a password.
_SECRET_URL = re.compile(r"://[^/?#\s]*:[^/?#\s]*@")


def is_secret_setting(name: str) -> bool:
    """Tell whether a setting of the tap is a secret.

    Args:
        name: The name of the setting.
    """
    return name in SETTINGS and SETTINGS[name].is_secret


def is_mask(value: object) -> bool:
    """Tell whether a value is what is shown in place of a secret, with or without a remark.

    Args:
        value: The value.
    """
    return isinstance(value, str) and value.strip().startswith(MASK)


def is_shown(name: str) -> bool:
    """Tell whether a name is that of a setting of the tap that is no secret.

    Args:
        name: The name.
    """
    return name in CONFIG_SCHEMA["properties"] and not is_secret_setting(name)


def may_be_secret(name: str, value: str) -> bool:
    """Tell whether a value in a file of several programs may be a secret.

    Args:
        name: The name of the value.
        value: The value.
    """
    if is_shown(name):
        return False
    return is_secret_setting(name) or bool(_SECRET_NAME.search(name) or _SECRET_URL.search(value))
