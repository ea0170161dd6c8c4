"""The services on the screen Tables: what each has, and how to read it from the page."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.configure.client import Answer


class Known(NamedTuple):
    """What a service has, and what the page says of it.

    Args:
        fixture: The fixture of its sandbox.
        table: A table.
        key: Its key.
        changes_by: Its replication key; empty if there is none.
        column: An optional column of it.
        chosen: Whether the table is chosen at the beginning.
        counts_rows: Whether the service says how many rows tables have.
        settings: Further settings.
    """

    fixture: str
    table: str
    key: str
    changes_by: str
    column: str
    chosen: bool
    counts_rows: bool
    settings: dict[str, int]


SERVICES = {
    "dataverse": Known(
        "sandbox",
        "account",
        "accountid",
        "modifiedon",
        "name",
        chosen=True,
        counts_rows=True,
        settings={"ws_retry_count": 0},
    ),
    "finance-operations": Known(
        "finance_sandbox",
        "CustomersV3",
        "dataAreaId, CustomerAccount",
        "",
        "OrganizationName",
        chosen=False,
        counts_rows=False,
        settings={"cross_company": True, "ws_retry_count": 0},
    ),
    "business-central": Known(
        "central_sandbox",
        "customers",
        "company_id, id",
        "lastModifiedDateTime",
        "displayName",
        chosen=True,
        counts_rows=False,
        settings={"ws_retry_count": 0},
    ),
}


def rows(answer: Answer) -> dict[str, list[str]]:
    """The lines of the list, by the name of the table: the texts of their cells."""
    lines = re.findall(r"<tr><td>.*?</tr>", answer.text, re.DOTALL)
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", line, re.DOTALL) for line in lines]
    texts = [
        [html.unescape(re.sub(r"<[^>]*>", "", cell)).strip() for cell in line] for line in cells
    ]
    names = [re.findall(r'value="([^"]*)"', line[0])[-1] for line in cells]
    return dict(zip(map(html.unescape, names), texts, strict=True))


def ticked(answer: Answer, name: str) -> set[str]:
    """The values of the boxes of a name that are ticked."""
    found = re.findall(rf'name="{name}" value="([^"]*)" aria-label="[^"]*" checked', answer.text)
    return set(map(html.unescape, found))


def methods(page: Answer) -> dict[str, bool]:
    """The replication methods that a page shows, and whether the table can have each."""
    found = re.findall(r'name="method" id="[\w-]+" value="(\w+)"([^>]*)>', page.text)
    return {name: " disabled" not in rest for name, rest in found}


def replication(page: Answer) -> tuple[str, str]:
    """The replication method that is chosen, and its key."""
    method = re.search(r'value="(\w+)" aria-describedby="[\w-]+" checked', page.text)
    key = re.search(r"<option selected>(\w+)</option>", page.text)
    assert method
    return method[1], key[1] if key else ""
