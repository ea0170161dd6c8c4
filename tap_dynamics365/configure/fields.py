"""Fields: the settings as fields of a form, and the values of a form as settings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_dynamics365.configure.values import value_of
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.settings.table import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamics365.settings.setting import Setting

#: In forms, the name of a box that removes a secret begins with this.
REMOVE = "remove."
# Their values may have several lines.
LONG = {"client_certificate"}


@dataclass(frozen=True)
class Field:
    """A setting as a field of a form.

    Attributes:
        setting: The setting.
        text: Its value; empty if it is secret. A secret is only ever written.
        is_set: Whether it has a value.
        origin: Where its value is from.
    """

    setting: Setting
    text: str
    is_set: bool
    origin: str

    @property
    def is_long(self) -> bool:
        """Whether its value may have several lines."""
        return self.setting.name in LONG or self.setting.type in {"array", "object"}


def field(name: str, values: Mapping[str, Any], origins: Mapping[str, str]) -> Field:
    """Return a setting as a field.

    Args:
        name: The name of the setting.
        values: Values by setting name.
        origins: Where each value is from, by setting name.
    """
    setting, value = SETTINGS[name], values.get(name)
    text = "" if value is None or setting.is_secret else _text(value)
    return Field(setting, text, value is not None, origins.get(name, ""))


def _text(value: Any) -> str:  # noqa: ANN401 - any value of JSON
    match value:
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return ", ".join(map(str, value))
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def changed(
    values: Mapping[str, Any], form: Mapping[str, list[str]], names: set[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return settings with the values of a form.

    A secret stays as it is if its field is empty, and goes if its box to remove it is ticked. A
    setting whose text is not of its type stays as it is, so that the other fields are not lost.

    Args:
        values: Values by setting name.
        form: The form.
        names: The settings that have fields in the form.

    Returns:
        The values, and what is wrong with the texts that were not taken.
    """
    found, problems = dict(values), []
    # In the order of the table of settings, which is that of a file that is written.
    for name in (each for each in SETTINGS if each in names):
        try:
            value = value_of(name, form.get(name, [""])[-1])
        except SettingsError as error:
            problems.append(error.message)
            continue
        is_kept = SETTINGS[name].is_secret and f"{REMOVE}{name}" not in form
        if value is not None:
            found[name] = value
        elif not is_kept and name in form:
            found.pop(name, None)
    return found, problems
