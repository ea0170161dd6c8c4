"""File .env: reads and plans the variables of the tap's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_dynamics365.config_files import change, env_text, found
from tap_dynamics365.config_files.change import Change
from tap_dynamics365.config_files.secrets import is_secret_setting, is_shown
from tap_dynamics365.errors import InputError
from tap_dynamics365.settings.environment import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tap_dynamics365.config_files.found import Found

NAME = ".env"


def load(text: str) -> Found:
    """Read settings from the text of a file .env.

    Args:
        text: The text.
    """
    return found.from_texts(env_text.load(text))


def plan(path: Path, settings: Mapping[str, Any]) -> Change:
    """Plan to write settings into a file .env.

    Args:
        path: The file. It need not exist.
        settings: Values by setting name; None removes the variable.

    Returns:
        The change. Lines of other variables stay.

    Raises:
        InputError: The file can't be read, is not text in UTF-8, or can't have a value.
    """
    before = change.read(path)
    try:
        text = (before or b"").decode()
    except UnicodeDecodeError:
        msg = f"The file {path} is not encoded in UTF-8: save it as UTF-8."
        raise InputError(msg) from None
    present = env_text.load(text)
    texts = {
        name: None if value is None else env_text.in_text(value)
        for name, value in found.new(settings, _values(present, settings)).items()
    }
    for name, value in texts.items():
        if value and "${" in value:
            msg = f"{name} has ${{, which means a variable in a file .env: use config.json."
            raise InputError(msg)
    after = env_text.change(text, texts)
    secrets = {name for name, value in env_text.load(after).items() if value}
    return Change(
        path, before, after.encode(), _cover, has_secrets=any(map(is_secret_setting, secrets))
    )


def _values(present: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what variables mean, where they mean a value."""
    known = found.from_texts(present).settings
    return {name: known.get(name, "") for name in present if name in settings}


def _cover(text: str, mask: Callable[[str], str]) -> str:
    """Cover everything but settings that are no secrets: other programs have secrets too."""

    def show(variable: str, value: str) -> str:
        name = variable.removeprefix(PREFIX).lower()
        return value if variable.startswith(PREFIX) and is_shown(name) else mask(value)

    return env_text.cover(text, show)
