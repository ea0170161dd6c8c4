"""Lines of a file .env."""

from __future__ import annotations

import re

from tap_dynamics365.settings.environment import PREFIX


def env_line(name: str, value: str) -> str:
    """Write a setting as a line of an .env file.

    Args:
        name: The name of the setting.
        value: The value of the setting.

    Returns:
        The line.
    """
    if not re.fullmatch(r"[\w./:@%+=~,-]+", value):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        value = f"'{escaped}'"
    return f"{PREFIX}{name.upper()}={value}"
