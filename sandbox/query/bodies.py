"""Bodies of responses, made of the JSON of rows (OASIS, "OData JSON Format Version 4.0")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sandbox.data.model import Column


def selected(columns: Iterable[Column]) -> str:
    """Return selected columns as a context URL lists them; nothing if all are selected."""
    names = ",".join(column.property_name for column in columns)
    return f"({names})" if names else ""


def context(root: str, path: str) -> str:
    """Return the member with the context URL.

    Args:
        root: URL of the service root.
        path: What the response has, such as `accounts(name)`.
    """
    return f'"@odata.context":"{root}$metadata#{path}"'


def next_link(link: str) -> str:
    """Return the end of a page that is not the last one.

    Args:
        link: URL of the next page.
    """
    return f',"@odata.nextLink":"{link}"'


def page(head: Sequence[str], rows: Iterable[bytes], tail: str = "") -> bytes:
    """Return the body of a page.

    Args:
        head: Members before the rows.
        rows: JSON of each row.
        tail: Members after the rows, each with a comma before it.
    """
    return b"".join(
        (f'{{{",".join(head)},"value":['.encode(), b",".join(rows), f"]{tail}}}".encode())
    )


def entity(context_member: str, row: bytes) -> bytes:
    """Return the body with one row.

    Args:
        context_member: The member with the context URL.
        row: JSON of the row.
    """
    return f"{{{context_member},".encode() + row[1:]


def array(rows: Iterable[bytes]) -> bytes:
    """Return rows as a JSON array."""
    return b"[" + b",".join(rows) + b"]"


def service_document(root: str, sets: Iterable[str]) -> dict[str, Any]:
    """Return the service document: the entity sets at the service root.

    Args:
        root: URL of the service root.
        sets: Names of the entity sets.
    """
    value = [{"name": name, "kind": "EntitySet", "url": name} for name in sets]
    return {"@odata.context": f"{root}$metadata", "value": value}
