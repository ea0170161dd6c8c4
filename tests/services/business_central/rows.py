"""What runs over the companies of Business Central have to send."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sandbox.business_central.companies import CLOSED
from tests.tap import own_metadata, select

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.central_client import CentralSandbox
    from tests.tap import Message, Run, Tap


# What the tap discovers in any sandbox, by the path of the API.
_DISCOVERED: dict[str, str] = {}


def catalog_of(tap: Tap, *tables: str, **metadata: str) -> Message:
    """The catalog of some tables with all their columns."""
    path = urlsplit(tap.settings["service_url"]).path
    if path not in _DISCOVERED:
        _DISCOVERED[path] = json.dumps(tap.but(tables=None).discover())
    catalog = select(json.loads(_DISCOVERED[path]), dict.fromkeys(tables))
    for stream in catalog["streams"]:
        own_metadata(stream).update({key.replace("_", "-"): each for key, each in metadata.items()})
    return catalog


def stored(central: CentralSandbox, table: str, *companies: str) -> set[tuple[str, ...]]:
    """Company and id of the rows of the named companies; of all that are open if none is named."""
    return {
        (row["$company"], row["id"])
        for row in central.rows(table)
        if (row["$company"] in companies if companies else row["$company"] != CLOSED.id)
    }


def told_apart(records: Iterable[Message]) -> list[tuple[str, ...]]:
    """Company and id of records, sorted."""
    return sorted((record["company_id"], record["id"]) for record in records)


def sent(run: Run, table: str) -> set[tuple[str, ...]]:
    """Company and id of the rows that a run has sent; none was sent twice."""
    found = told_apart(run.records(table))
    assert len(found) == len({*found})
    return {*found}


def parts(state: Message, table: str) -> dict[str, Message]:
    """The entries of the companies in a state, by id."""
    entries = state["bookmarks"].get(table, {}).get("partitions", [])
    return {
        entry["context"]["company_id"]: {k: v for k, v in entry.items() if k != "context"}
        for entry in entries
    }


def asked_for(central: CentralSandbox, table: str) -> list[Message]:
    """The requests for rows of a table."""
    return [each for each in central.requests() if each["path"].endswith(f"/{table}")]
