"""Enumerations in the catalog: descriptions of columns name their enumeration.

Rows hold the names of members as text; a value without a name is null. Filters need the qualified
name of the enumeration, and records have an empty text for null in a key.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_dynamics365.odata.edm import Enumeration

#: Describes an enumeration in the key of a table, before `sentence`.
IN_KEY = "An empty text stands for a value without a name."

# The members may have quotation marks around them, and then hold any character.
_SENTENCE = re.compile(
    r"""(?:^| )Enumeration ([^\s.:]+(?:\.[^\s.:]+)+)(?:: (?:[^."]|"(?:[^"\\]|\\.)*")*)?\.$"""
)
_WORD = re.compile(r"\w+")


def sentence(enumeration: Enumeration) -> str:
    """Describe an enumeration, with its members if they are few.

    Args:
        enumeration: The type of a column.

    Returns:
        A sentence. Members that are more than one word are in quotation marks.
    """
    members = ", ".join(map(_quoted, enumeration.members))
    return f"Enumeration {enumeration.name}{f': {members}' if members else ''}."


def name(description: str | None) -> str:
    """Find the qualified name of the enumeration in the description of a column.

    Args:
        description: The description in the catalog.

    Returns:
        The name; empty if the column has another type.
    """
    found = _SENTENCE.search(description or "")
    return found[1] if found else ""


def _quoted(member: str) -> str:
    return member if _WORD.fullmatch(member) else json.dumps(member, ensure_ascii=False)
