"""A table that is read with a filter: settings, catalog, and what the service was asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.tap import Message, Run, Tap, entry, own_metadata, select

if TYPE_CHECKING:
    from sandbox.client import Sandbox

STREAM, SET, KEY = "contact", "contacts", "contactid"
ACTIVE, INACTIVE = "statecode eq 0", "statecode eq 1"
# The table with a filter, which has several pages, and one without.
GIVEN = {"fetch_size": 40, "tables": [STREAM, "team"], "filters": {STREAM: ACTIVE}}


def discover(sandbox: Sandbox) -> Message:
    """Discover the tables, with few columns."""
    found = Tap({**sandbox.settings, **GIVEN}).discover()
    return select(found, {STREAM: ["statecode"], "team": ["name"]})


def by(catalog: Message, method: str) -> Message:
    """Have the table with a filter replicated by a method."""
    chosen: Message = json.loads(json.dumps(catalog))
    own_metadata(entry(chosen, STREAM))["replication-method"] = method
    return chosen


def keys(run: Run, stream: str = STREAM) -> set[str]:
    """The keys of the rows that were sent."""
    return {row[f"{stream}id"] for row in run.records(stream)}


def stored(service: Sandbox, *states: int) -> set[str]:
    """The keys of the rows that the service has, in some states."""
    return {row[KEY] for row in service.rows(STREAM) if row["statecode"] in states}


def asked(service: Sandbox, entity_set: str = SET) -> list[str]:
    """The filters of all requests for rows of a table, with those for the greatest key."""
    return [
        request["query"].get("$filter", "")
        for request in service.requests()
        if request["path"].endswith(f"/{entity_set}")
    ]
