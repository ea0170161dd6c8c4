"""Filters: the OData expressions of the setting `filters`, and the tables that they apply to.

find({"account": "statecode eq 0", "new_*": "statecode eq 1"}, "new_order")  # "statecode eq 1"
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

# A text, in which a quotation mark is doubled ("OData Version 4.01 Part 2: URL Conventions",
# section 5.1.1.14.1).
_TEXT = r"'(?:[^']|'')*'"
_PARTS = re.compile(rf"({_TEXT})|(\s+)|([()'])")


def flaw(expression: str) -> str | None:
    """Find out why an expression can't be joined to other conditions.

    The tap puts parentheses around an expression. One that closes them itself would change the
    meaning of the conditions around it, and rows would be missed.

    Args:
        expression: The expression.

    Returns:
        What is wrong, as the end of a sentence that begins with the expression; None if nothing is.
    """
    if not expression.strip():
        return "is empty: write an OData expression such as statecode eq 0, or remove it"
    depth = 0
    for match in _PARTS.finditer(expression):
        mark = match[3]
        if mark == "'":
            return (
                "has a text without its closing quotation mark: write a quotation mark in a text "
                "twice, as in 'O''Brien'"
            )
        depth += {"(": 1, ")": -1}.get(mark, 0)
        if depth < 0:
            return "closes a parenthesis that it does not open"
    return "opens a parenthesis that it does not close" if depth else None


def tidy(expression: str) -> str:
    """Write an expression in one line: OData has no line breaks between words.

    Args:
        expression: The expression, without a `flaw`.

    Returns:
        The expression, with one space for all white space between words. Texts stay as they are.
    """
    return _PARTS.sub(lambda part: " " if part[2] else part[0], expression).strip()


def columns(expression: str) -> set[str]:
    """Find the words of an expression that may be columns.

    Args:
        expression: The expression, without a `flaw`.
    """
    return set(re.findall(r"\w+", re.sub(_TEXT, "", expression)))


def find(filters: Mapping[str, str], table: str) -> str:
    """Find the filter of a table.

    Args:
        filters: Expressions by the name of a table, or by a shell-style pattern. Names and patterns
            are case-insensitive.
        table: The name of the table.

    Returns:
        The expression of the table's name. If there is none, those of all patterns that match,
        joined with `and` in the order of the patterns' names, so that the order of the setting does
        not matter. Empty if nothing matches.
    """
    name = table.lower()
    if exact := [text for key, text in filters.items() if key.lower() == name]:
        return tidy(exact[0])
    patterns = sorted((key.lower(), text) for key, text in filters.items())
    found = [tidy(text) for pattern, text in patterns if fnmatchcase(name, pattern)]
    return found[0] if len(found) == 1 else " and ".join(f"({text})" for text in found)


def unmatched(filters: Mapping[str, str], tables: Collection[str]) -> list[str]:
    """Find the names and patterns that match no table.

    Args:
        filters: As for `find`.
        tables: The names of the tables.
    """
    names = [table.lower() for table in tables]
    return [key for key in filters if not any(fnmatchcase(name, key.lower()) for name in names)]
