"""JSON object: changes members in the text of a JSON object, and keeps the rest of it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_SPACE = re.compile(r"[ \t\r\n]*")
_decoder = json.JSONDecoder()


class _Member(NamedTuple):
    """A member of an object: its name, and where name and value are."""

    name: str
    begin: int
    start: int
    end: int


def load(text: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        text: The text; empty for an empty object.

    Raises:
        ValueError: The text is not a JSON object.
    """
    found = json.loads(text) if text.strip() else {}
    if not isinstance(found, dict):
        msg = "The text is JSON of another type."
        raise ValueError(msg)  # noqa: TRY004 - as for a text that is not JSON
    return found


def change(text: str, members: Mapping[str, Any]) -> str:
    """Set or remove members of a JSON object.

    Args:
        text: The text; empty for a new object.
        members: Values by name; None removes the member.

    Returns:
        The text, of which only these members are changed.

    Raises:
        ValueError: The text is not a JSON object.
    """
    if not text.strip():
        given = {name: value for name, value in members.items() if value is not None}
        return json.dumps(given, indent=2, ensure_ascii=False) + "\n"
    load(text)
    for name, value in members.items():
        text = _without(text, name) if value is None else _with(text, name, value)
    return text


def cover(text: str, mask: Callable[[str, str], str]) -> str:
    """Replace values of members.

    Args:
        text: The text; empty for no object.
        mask: Given the name of a member and its value in JSON, returns the text to show.

    Raises:
        ValueError: The text is not a JSON object.
    """
    members = [*_members(text)] if load(text) else []
    for member in reversed(members):
        value = text[member.start : member.end]
        text = f"{text[: member.start]}{mask(member.name, value)}{text[member.end :]}"
    return text


def _with(text: str, name: str, value: Any) -> str:  # noqa: ANN401 - any value of JSON
    """Set a member."""
    written = json.dumps(value, ensure_ascii=False)
    members = list(_members(text))
    # Of members of the same name, the last one takes effect.
    found = [member for member in members if member.name == name]
    if found:
        return f"{text[: found[-1].start]}{written}{text[found[-1].end :]}"
    at = members[-1].end if members else text.index("{") + 1
    between = re.search(r"\{([ \t\r\n]*)", text)
    space = between[1] if between and members else "\n  "
    comma, after = (",", "") if members else ("", "\n")
    return f"{text[:at]}{comma}{space}{json.dumps(name)}: {written}{after}{text[at:]}"


def _without(text: str, name: str) -> str:
    """Remove all members of a name."""
    members = list(_members(text))
    for at in reversed(range(len(members))):
        if members[at].name != name:
            continue
        if at:
            start, end = members[at - 1].end, members[at].end
        else:
            start = members[at].begin
            end = members[1].begin if len(members) > 1 else members[0].end
        text = f"{text[:start]}{text[end:]}"
        members = [*_members(text)]
    return text


def _members(text: str) -> Iterator[_Member]:
    at = _skip(text, text.index("{") + 1)
    while text[at] != "}":
        begin = at
        name, at = _decoder.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)
        _, end = _decoder.raw_decode(text, start)
        yield _Member(name, begin, start, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
