"""File config.json: reads and plans the settings of the tap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_dynamics365.config_files import change, found, json_object
from tap_dynamics365.config_files.change import Change
from tap_dynamics365.config_files.secrets import is_secret_setting, is_shown
from tap_dynamics365.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tap_dynamics365.config_files.found import Found

NAME = "config.json"


def load(text: str) -> Found:
    """Read settings from the text of a configuration file.

    Args:
        text: The text.

    Raises:
        InputError: It is not a JSON object.
    """
    try:
        return found.known(json_object.load(text))
    except ValueError:
        msg = "The configuration is not a JSON object: correct it."
        raise InputError(msg) from None


def plan(path: Path, settings: Mapping[str, Any]) -> Change:
    """Plan to write settings into a configuration file.

    Args:
        path: The file. It need not exist.
        settings: Values by setting name; None removes the member.

    Returns:
        The change. Other members stay.

    Raises:
        InputError: The file can't be read, or is not a JSON object.
    """
    before = change.read(path)
    try:
        text = change.decode(before or b"")
        after = json_object.change(text, found.new(settings, json_object.load(text)))
        secrets = {name for name, value in json_object.load(after).items() if value}
    except ValueError:
        msg = f"The file {path} is not a JSON object: correct it, or remove it."
        raise InputError(msg) from None
    return Change(
        path, before, after.encode(), _cover, has_secrets=any(map(is_secret_setting, secrets))
    )


def _cover(text: str, mask: Callable[[str], str]) -> str:
    return json_object.cover(
        text, lambda name, value: value if is_shown(name) else f'"{mask(value)}"'
    )
