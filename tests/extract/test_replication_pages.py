"""Pages for replication: changes, deletes, tokens, values of other types."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.odata.key_scale import Days, Moments, Numbers
from tap_dynamics365.odata.page import split
from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tap_dynamics365.singer.encoder import Encoder
from tests.singer.test_encoder import answer

COLUMNS = {"id": "string", "name": "string", "size": "integer", "price": "number", "on": "boolean"}
KEY = "00000000-0000-0000-0000-0000000000a1"


def codec(version: int | None = None) -> Encoder:
    """Make what reads pages of a table."""
    schema = {"properties": {name: {"type": [kind, "null"]} for name, kind in COLUMNS.items()}}
    return Encoder("table", schema, lambda _: True, ids=["id"], version=version)


def lines(*entries: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the messages that a page of changes turns into."""
    page = codec(7).changes(split(answer(json.dumps({"value": entries})), DATAVERSE.dialect))
    assert sum(piece.rows for piece in page.pieces) == len(entries)
    return [json.loads(line) for piece in page.pieces for line in piece.content.splitlines()]


@pytest.mark.parametrize("address", [KEY, f"https://host/api/tables({KEY})", KEY.upper()])
def test_deletion_is_a_record_of_key_and_time_without_a_version(address: str) -> None:
    gone = {"@odata.context": "x#tables/$deletedEntity", "id": address, "reason": "deleted"}
    before, deleted, after = lines({"id": "1", "name": "a"}, gone, {"id": "2", "name": "b"})
    assert set(deleted["record"]) == {"id", "_sdc_deleted_at"}
    assert deleted["record"]["id"].lower() == KEY
    assert "version" not in deleted
    assert (before["version"], after["version"]) == (7, 7)
    assert (before["record"]["name"], after["record"]["name"]) == ("a", "b")


def test_row_that_mentions_deletions_is_not_a_deletion() -> None:
    (row,) = lines({"id": "1", "name": "x/$deletedEntity"})
    assert row["record"]["name"] == "x/$deletedEntity"


@pytest.mark.parametrize(
    "link",
    [
        "https://host/t?$select=a&$deltatoken=919042%2108%2f22%2f2017%2008%3a10%3a44",
        "t?%24deltatoken=919042!08/22/2017%2008:10:44&$select=a",
    ],
)
def test_delta_token_is_decoded(link: str) -> None:
    body = split(answer(json.dumps({"@odata.deltaLink": link, "value": []})), DATAVERSE.dialect)
    decoded = "919042!08/22/2017 08:10:44"
    assert body.delta_token == decoded


@pytest.mark.parametrize(
    ("column", "value"), [("size", True), ("size", "1"), ("price", "x"), ("on", "no"), ("on", 1)]
)
def test_value_of_another_type_is_an_error_with_its_column(column: str, value: object) -> None:
    rows = [{"id": "1"}] * 3 + [{"id": "1", column: value}] * 1_000
    with pytest.raises(ServiceError, match=f"'{column}'") as caught:
        codec().page(split(answer(json.dumps({"value": rows})), DATAVERSE.dialect))
    assert "--discover" in caught.value.message


def test_values_of_the_catalogs_types_pass() -> None:
    row = {"id": "1", "name": '1 "quoted"', "size": 2, "price": "INF", "on": False}
    empty = dict.fromkeys(COLUMNS)
    page = codec().page(split(answer(json.dumps({"value": [row, empty] * 300})), DATAVERSE.dialect))
    assert sum(piece.rows for piece in page.pieces) == 600


def test_values_of_keys_are_rounded_to_edges() -> None:
    assert Moments.literal(-1) == "0001-01-01T00:00:00Z"
    assert Moments.literal(10**20).startswith("9999-12-31T23:59:59")
    assert Days.literal(Moments.position("2026-01-31T23:59:59Z")) == "2026-01-31"
    assert Days.position("2026-01-31") == Moments.position("2026-01-31T00:00:00Z")
    assert Days.literal(Days.edge(Days.position("2026-01-31") + 1)) == "2026-02-01"
    assert Numbers.literal(Numbers.position("9223372036854775807")) == 2**63 - 1
