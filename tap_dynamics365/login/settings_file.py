"""Settings file: writes settings into a file .env or config.json, and keeps the rest of it."""

from __future__ import annotations

import json
import re
from io import StringIO
from typing import TYPE_CHECKING

from dotenv.parser import parse_stream

from tap_dynamics365 import atomic_file
from tap_dynamics365.errors import InputError
from tap_dynamics365.login.env_file import env_line
from tap_dynamics365.settings.environment import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# The file may hold secrets.
MODE = 0o600
JSON_SUFFIX = ".json"

_SPACE = re.compile(r"[ \t\r\n]*")
_decoder = json.JSONDecoder()


def check(path: Path) -> None:
    """Raise if settings can't be written into a file, before anybody signs in.

    Args:
        path: The file. It need not exist.

    Raises:
        InputError: The file can't be read, or has another form.
    """
    _changed(path, {})


def write(path: Path, settings: Mapping[str, str]) -> None:
    """Write settings into a file: a JSON object if its name ends with .json, else a file .env.

    Args:
        path: The file. Missing settings are added, and present ones are replaced.
        settings: Values by setting name.

    Raises:
        InputError: The file can't be read or written, or has another form. It is unchanged.
    """
    content = _changed(path, settings)
    try:
        # A link stays, and the file that it leads to is replaced.
        atomic_file.write(path.resolve(), content.encode(), mode=MODE)
    except OSError as error:
        raise InputError(_unusable(path, "written", error)) from None


def _changed(path: Path, settings: Mapping[str, str]) -> str:
    """Return the content of a file with settings."""
    is_json = path.suffix.lower() == JSON_SUFFIX
    try:
        content = atomic_file.read(path)
        # Windows programs write UTF-16, or UTF-8 with a byte-order mark: see singer/input_files.py.
        text = content.decode(json.detect_encoding(content) if is_json else "utf-8")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise InputError(_unusable(path, "read", error)) from None
    except UnicodeDecodeError:
        msg = f"The file {path} is not encoded in UTF-8: name another one with --write."
        raise InputError(msg) from None
    if not is_json:
        return in_env_file(text, settings)
    try:
        return in_json(text, settings)
    except ValueError:
        msg = f"The file {path} is not a JSON object: name another one with --write."
        raise InputError(msg) from None


def _unusable(path: Path, done: str, error: OSError) -> str:
    reason = atomic_file.error_text(error)
    return f"The file {path} can't be {done} ({reason}): name another one with --write."


def in_env_file(text: str, settings: Mapping[str, str]) -> str:
    """Set variables in the text of a file .env.

    Args:
        text: The text.
        settings: Values by setting name.

    Returns:
        The text, of which only the lines of these settings are changed.
    """
    lines = [(binding.key, binding.original.string) for binding in parse_stream(StringIO(text))]
    end = "\r\n" if "\r\n" in text else "\n"
    for name, value in settings.items():
        variable = f"{PREFIX}{name.upper()}"
        line = env_line(name, value)
        # The last line of a variable takes effect.
        at = max((i for i, (key, _) in enumerate(lines) if key == variable), default=None)
        if at is None:
            if lines and not lines[-1][1].endswith(("\n", "\r")):
                lines.append((None, end))
            lines.append((variable, f"{line}{end}"))
            continue
        old = lines[at][1]
        # The text of a variable begins with the empty lines before it.
        begin = re.match(r"\s*(?:export[^\S\r\n]+)?", old)
        last = re.search(r"[\r\n]*\Z", old)
        before, after = begin[0] if begin else "", last[0] if last else ""
        lines[at] = (variable, f"{before}{line}{after}")
    return "".join(line for _, line in lines)


def in_json(text: str, settings: Mapping[str, str]) -> str:
    """Set members of the JSON object in a text.

    Args:
        text: The text; empty for a new object.
        settings: Values by name.

    Returns:
        The text, of which only these members are changed.

    Raises:
        ValueError: The text is not a JSON object.
    """
    if not text.strip():
        return json.dumps(dict(settings), indent=2, ensure_ascii=False) + "\n"
    if not isinstance(json.loads(text), dict):
        msg = "The text is JSON of another type."
        raise ValueError(msg)  # noqa: TRY004 - as for a text that is not JSON
    for name, value in settings.items():
        written = json.dumps(value, ensure_ascii=False)
        members = list(_members(text))
        # Of members of the same name, the last one takes effect.
        found = [(start, end) for key, start, end in members if key == name]
        if found:
            start, end = found[-1]
            text = f"{text[:start]}{written}{text[end:]}"
            continue
        at = members[-1][2] if members else text.index("{") + 1
        between = re.search(r"\{([ \t\r\n]*)", text)
        space = between[1] if between and members else "\n  "
        comma, after = (",", "") if members else ("", "\n")
        text = f"{text[:at]}{comma}{space}{json.dumps(name)}: {written}{after}{text[at:]}"
    return text


def _members(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the name of each member of a JSON object, and where its value starts and ends."""
    at = _skip(text, text.index("{") + 1)
    while text[at] != "}":
        name, at = _decoder.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)
        _, end = _decoder.raw_decode(text, start)
        yield name, start, end
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
