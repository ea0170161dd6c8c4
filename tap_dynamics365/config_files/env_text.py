"""Text of a file .env: variables of settings, among the variables of other programs."""

from __future__ import annotations

import json
import re
from io import StringIO
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from tap_dynamics365.settings.environment import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def line(name: str, value: str) -> str:
    """Write a setting as a line.

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


def in_text(value: Any) -> str:  # noqa: ANN401 - any value of JSON
    """Write the value of a setting as a variable has it.

    Args:
        value: The value, as in JSON.
    """
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def load(text: str) -> dict[str, str]:
    """Read the variables of settings.

    Args:
        text: The text.

    Returns:
        Texts by setting name; empty ones too.
    """
    found = dotenv_values(stream=StringIO(text, newline=""))
    return {
        name.removeprefix(PREFIX).lower(): value or ""
        for name, value in found.items()
        if name.startswith(PREFIX)
    }


def change(text: str, settings: Mapping[str, str | None]) -> str:
    """Set or remove variables.

    Args:
        text: The text.
        settings: Values by setting name; None removes the variable.

    Returns:
        The text, of which only the lines of these settings are changed.
    """
    lines = [(binding.key, binding.original.string) for binding in parse_stream(StringIO(text))]
    end = "\r\n" if "\r\n" in text else "\n"
    for name, value in settings.items():
        variable = f"{PREFIX}{name.upper()}"
        if value is None:
            lines = [(key, _space_before(old) if key == variable else old) for key, old in lines]
            continue
        written = line(name, value)
        # The last line of a variable takes effect.
        at = max((i for i, (key, _) in enumerate(lines) if key == variable), default=None)
        if at is None:
            if lines and not lines[-1][1].endswith(("\n", "\r")):
                lines.append((None, end))
            lines.append((variable, f"{written}{end}"))
            continue
        before, after = _around(lines[at][1])
        lines[at] = (variable, f"{before}{written}{after}")
    return "".join(line for _, line in lines)


def cover(text: str, mask: Callable[[str, str], str]) -> str:
    """Replace values of variables, also of those in comments.

    Args:
        text: The text.
        mask: Given the name of a variable and its value, returns the value to show.

    Returns:
        The text. Where a value is replaced, quotes and the comment behind it are dropped.
    """
    pieces = []
    for binding in parse_stream(StringIO(text)):
        old = binding.original.string
        before, after = _around(old)
        if binding.key and binding.value:
            shown = mask(binding.key, binding.value)
            is_same = shown == binding.value
            pieces.append(old if is_same else f"{before}{binding.key}={shown}{after}")
        elif not binding.key and "=" in old:
            # A variable in a comment, or a line that is none.
            name, _, value = old.strip().partition("=")
            shown = mask(name.split()[-1].lstrip("#") if name else "", value)
            pieces.append(f"{before}{name}={shown}{after}")
        else:
            pieces.append(old)
    return "".join(pieces)


def _around(old: str) -> tuple[str, str]:
    """Return what is before the name in the text of a variable, and the line end after its value.

    The text of a variable begins with the empty lines before it.
    """
    begin = re.match(r"\s*(?:export[^\S\r\n]+)?", old)
    last = re.search(r"[\r\n]*\Z", old)
    return begin[0] if begin else "", last[0] if last else ""


def _space_before(old: str) -> str:
    """Return the empty lines before a variable."""
    found = re.match(r"(?:[^\S\r\n]*[\r\n]+)*", old)
    return found[0] if found else ""
