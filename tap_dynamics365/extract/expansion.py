"""Expansion: writes queries with $expand, and takes the rows out of the rows of their parents.

"OData Version 4.0 Part 2: URL Conventions", section 5.1.2. Rows of a parent hold those of the next
step of the way under the name of the navigation property, and a link if there are more of them
("OData JSON Format Version 4.0", sections 8.3 and 8.5).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
from msgspec import UNSET, Raw, UnsetType

from tap_dynamics365.odata.query import SAFE
from tap_dynamics365.odata.row_types import NULL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_dynamics365.services.parent_path import ParentPath

# Options that a link to the next page has from the query, and that are written again.
OWN = ("$expand", "$select")


def expand(path: ParentPath, columns: Sequence[str], condition: str) -> str:
    """Write the option $expand for the rows of a path.

    Args:
        path: The way to the rows.
        columns: The columns to ask for; all columns if empty.
        condition: The condition for rows; empty for all rows.

    Returns:
        The value of the option, not encoded.
    """
    options = []
    if columns:
        options.append(f"$select={','.join(columns)}")
    if condition:
        options.append(f"$filter={condition}")
    text = ""
    for step in reversed(path.steps):
        text = f"{step}({';'.join(options)})" if options else step
        options = [f"$expand={text}"]
    return text


def parents(url: str, path: ParentPath, condition: str, expansion: str = "") -> str:
    """Write the URL of rows of the parent.

    Args:
        url: The URL of all rows of the parent.
        path: The way to the rows.
        condition: The condition for the parents; empty for all.
        expansion: The value of the option $expand; empty to ask for the parents alone.
    """
    options = _own_options(path, expansion)
    if condition:
        options.append(("$filter", condition))
    return f"{url}?{'&'.join(_written(options))}"


def following(link: str, path: ParentPath, expansion: str = "") -> str:
    """Write the URL of the page that a link leads to, with or without the rows of the parents.

    The link names the last parent that was sent, so its other options stay as they are.

    Args:
        link: The link to the next page, absolute.
        path: The way to the rows.
        expansion: As for `parents`.
    """
    parts = urlsplit(link)
    kept = [
        option
        for option in parts.query.split("&")
        if option.partition("=")[0].replace("%24", "$").lower() not in OWN
    ]
    query = "&".join([*_written(_own_options(path, expansion)), *kept])
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _own_options(path: ParentPath, expansion: str) -> list[tuple[str, str]]:
    select = ",".join(filter(None, (path.id, path.changed_at)))
    return [("$select", select), *([("$expand", expansion)] if expansion else [])]


def _written(options: Sequence[tuple[str, str]]) -> Iterator[str]:
    return (f"{name}={quote(value, safe=SAFE)}" for name, value in options)


class Parent(msgspec.Struct):
    """A row of a parent.

    Attributes:
        id: Its id, as JSON.
        changed_at: The time of its last change, as JSON.
    """

    id: Raw
    changed_at: Raw = NULL


@cache
def _decoder(
    path: ParentPath,
) -> Callable[[Raw], Any]:
    """Make a decoder of the rows of a parent, without what is expanded."""
    fields: list[tuple[str, Any, Any]] = [("id", Raw, msgspec.field(name=path.id))]
    if path.changed_at:
        changed_at = msgspec.field(default=NULL, name=path.changed_at)
        fields.append(("changed_at", Raw, changed_at))
    return msgspec.json.Decoder(msgspec.defstruct("Row", fields)).decode


def parent(row: Raw, path: ParentPath) -> Parent:
    """Read a row of the parent.

    Args:
        row: The row.
        path: The way to the rows.

    Raises:
        msgspec.DecodeError: The row has no id.
    """
    found = _decoder(path)(row)
    return Parent(found.id, getattr(found, "changed_at", NULL))


@cache
def _step(name: str) -> Callable[[Raw], Any]:
    return msgspec.json.Decoder(
        msgspec.defstruct(
            "Step",
            [
                ("rows", Raw | UnsetType, msgspec.field(default=UNSET, name=name)),
                ("link", str | None, msgspec.field(default=None, name=f"{name}@odata.nextLink")),
            ],
        )
    ).decode


_list = msgspec.json.Decoder(list[Raw]).decode


def children(row: Raw, steps: Sequence[str], more: Callable[[str], list[Raw]]) -> Iterator[Raw]:
    """Yield the rows at the end of a way.

    Args:
        row: A row of the parent.
        steps: The navigation properties that lead from it to the rows.
        more: Reads the rows of a link and of those after it.

    Raises:
        msgspec.DecodeError: The row has another form.
    """
    if not steps:
        yield row
        return
    found = _step(steps[0])(row)
    # A way to a single row leads to null where there is none.
    text = b"null" if found.rows is UNSET else bytes(found.rows)
    rows = _list(text) if text[:1] == b"[" else [found.rows] if text[:1] == b"{" else []
    if found.link is not None:
        rows += more(found.link)
    for each in rows:
        yield from children(each, steps[1:], more)
