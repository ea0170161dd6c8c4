"""Collation of texts: case-insensitive, accent-sensitive, without trailing blanks.

SQL Server compares texts of Finance & Operations so (Microsoft Learn, "Collation and Unicode
support"): punctuation comes before digits, digits before letters, and accents decide only between
texts that are equal without accents. In `eq` and `ne`, `*` in a literal is a wildcard.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

COLLATION, MATCHES, ETAG = "ERP", "matches", "row_etag"
WILDCARD = "*"
# ASCII in the order of the collation: punctuation, digits, letters.
_ASCII = [chr(code) for code in range(0x21, 0x7F) if not chr(code).isupper()]
_RANKS = str.maketrans(
    {
        character: chr(0x21 + rank)
        for rank, character in enumerate(
            sorted(_ASCII, key=lambda each: (each.isalpha(), each.isdigit(), each))
        )
    }
)


@lru_cache(maxsize=2**17)
def sort_key(text: str) -> str:
    """Return a text that sorts by code points as the text sorts by the collation."""
    folded = text.rstrip(" ").casefold()
    if folded.isascii():
        return folded.translate(_RANKS)
    decomposed = unicodedata.normalize("NFD", folded)
    base = "".join(each for each in decomposed if not unicodedata.combining(each))
    return f"{base.translate(_RANKS)}\0{decomposed}"


def compare(left: str, right: str) -> int:
    """Compare two texts: negative, zero or positive, as SQLite expects it of a collation."""
    one, two = sort_key(left), sort_key(right)
    return (one > two) - (one < two)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    parts = unicodedata.normalize("NFC", text.rstrip(" ").casefold()).split(WILDCARD)
    return re.compile(".*".join(re.escape(part) for part in parts), re.DOTALL)


def matches(text: str, pattern: str) -> bool:
    """Return whether a text matches a pattern with wildcards.

    Args:
        text: The text.
        pattern: The pattern; `*` stands for any characters.
    """
    folded = unicodedata.normalize("NFC", text.rstrip(" ").casefold())
    return _pattern(pattern).fullmatch(folded) is not None


def etag(version: int, record: int, joined: str) -> str:
    """Return the `@odata.etag` of a row without `W/` and quotes.

    Args:
        version: Record version of the row in the root table.
        record: Record ID of the row in the root table.
        joined: The pairs of the joined tables, each after a semicolon.
    """
    return base64.b64encode(f"'{version},{record}{joined}'".encode()).decode()


def prepare(connection: sqlite3.Connection) -> None:
    """Add the collation and the functions to a connection."""
    connection.create_collation(COLLATION, compare)
    connection.create_function(MATCHES, 2, matches, deterministic=True)
    connection.create_function(ETAG, 3, etag, deterministic=True)
