"""What runs over the companies of Business Central have to send."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sandbox.business_central.companies import CLOSED
from tests.tap import Message, Run, Tap, own_metadata, select

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sandbox.central_client import CentralSandbox


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


def activated(run: Run) -> dict[str, int]:
    """The versions that were activated. No record of the same stream may follow."""
    found: dict[str, int] = {}
    for message in run.messages:
        if message["type"] == "ACTIVATE_VERSION":
            found[message["stream"]] = message["version"]
        elif message["type"] == "RECORD":
            assert message["stream"] not in found
    return found


def versions(run: Run, table: str) -> set[Any]:
    """The versions that the records of a table carry."""
    return {
        message.get("version")
        for message in run.messages
        if message["type"] == "RECORD" and message["stream"] == table
    }


def killed(tap: Tap, catalog: Message, state: Message | None, lines: int) -> Run:
    """Run a sync and kill it after some lines of messages."""
    with TemporaryDirectory() as folder:
        process = tap.start(Path(folder), catalog=catalog, state=state)
        try:
            output: Iterator[bytes] = iter(process.stdout or ())
            written = [line.decode() for line in itertools.islice(output, lines)]
        finally:
            process.kill()
            process.communicate()
    return Run(1, "".join(written), "")


def asked_for(central: CentralSandbox, table: str) -> list[Message]:
    """The requests for rows of a table."""
    return [each for each in central.requests() if each["path"].endswith(f"/{table}")]
