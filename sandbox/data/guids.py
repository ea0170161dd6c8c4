"""Order of GUIDs: that of SQL Server's uniqueidentifier, by which Dataverse sorts rows.

SQL Server compares the bytes of the last group first, then those of the groups before it; in the
first three groups it starts with the last byte. Recorded pages without `$orderby` are in this
order.
"""

from __future__ import annotations

# Positions (from 1, as in SQL) and lengths of the digits, in the order of the comparison.
_PARTS = (
    (25, 12),
    (20, 4),
    (17, 2),
    (15, 2),
    (12, 2),
    (10, 2),
    (7, 2),
    (5, 2),
    (3, 2),
    (1, 2),
)


def sortable_sql(guid: str) -> str:
    """Return the SQL expression for a text that sorts as a GUID does.

    Args:
        guid: Expression for the text of the GUID.
    """
    digits = "||".join(f"substr({guid},{start},{length})" for start, length in _PARTS)
    return f"({digits})"


def sortable(guid: str) -> str:
    """Return the text that sorts as a GUID does."""
    return "".join(guid[start - 1 : start - 1 + length] for start, length in _PARTS)


def restored(text: str) -> str:
    """Return the GUID of a text that `sortable` returned."""
    last, fourth = text[:12], text[12:16]
    turned = "".join(text[at : at + 2] for at in range(30, 14, -2))
    return f"{turned[:8]}-{turned[8:12]}-{turned[12:16]}-{fourth}-{last}"
