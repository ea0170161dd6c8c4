"""Complaints of users of other extractors for Dynamics 365, which do not apply to this tap.

Each test is short and about one complaint. Other tests cover its subject in full.
"""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from sandbox import client
from tests.tap import Message, Run, Tap, entry, in_one_mode, look_back, reads, select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.client import Sandbox

pytestmark = in_one_mode

MANY = 11_000


@pytest.fixture(scope="module")
def everything(tap: Tap, catalog: Message) -> Run:
    """A first sync of all tables that are selected by default."""
    return tap.sync(catalog=catalog)


@pytest.fixture(scope="module")
def large() -> Iterator[Sandbox]:
    """A Dynamics 365 that has a table with more than two pages of rows."""
    with client.running(rows=MANY, table="teammembership") as running:
        yield running


def properties(catalog: Message, stream: str) -> Message:
    """Return the schemas of the columns of a stream."""
    columns: Message = entry(catalog, stream)["schema"]["properties"]
    return columns


@pytest.mark.parametrize(
    "stream", ["systemuser", "team", "task", "email", "phonecall", "appointment"]
)
def test_tables_that_inherit_have_the_inherited_columns_and_keys(
    catalog: Message, stream: str
) -> None:
    inherited = "ownerid" if stream in {"systemuser", "team"} else "subject"
    assert inherited in properties(catalog, stream)
    assert entry(catalog, stream)["key_properties"]


def test_polymorphic_lookups_have_values(catalog: Message, everything: Run) -> None:
    for stream, column in (("opportunity", "_customerid_value"), ("account", "_ownerid_value")):
        assert properties(catalog, stream)[column]["format"] == "uuid"
        assert any(row[column] for row in everything.records(stream))


def test_dates_without_a_time_stay_dates(catalog: Message, everything: Run) -> None:
    assert properties(catalog, "new_project")["new_startdate"]["format"] == "date"
    days = {row["new_startdate"] for row in everything.records("new_project")} - {None}
    assert days
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for day in days)


def test_decimals_keep_every_digit(sandbox: Sandbox, everything: Run) -> None:
    sums = {row["accountid"]: str(row["revenue"]) for row in sandbox.rows("account")}
    assert {r["accountid"]: str(r["revenue"]) for r in everything.records("account")} == sums
    factors = {row["new_factor"] for row in sandbox.rows("new_measurement")} - {None}
    exact = {f"{factor:f}" for factor in factors}
    assert any(repr(float(number)) != number for number in exact)
    for number in exact:
        assert f'"new_factor":{number},' in everything.output


def test_columns_without_values_stay_in_the_schema(tap: Tap, catalog: Message) -> None:
    chosen = select(catalog, {"account": None})
    run = tap.but(start_date="2099-01-01").sync(catalog=chosen)
    assert not run.counts
    assert set(run.schemas["account"]["schema"]["properties"]) == set(
        properties(catalog, "account")
    )


def test_schema_declares_each_column_once(sandbox: Sandbox, everything: Run) -> None:
    (account,) = [table for table in sandbox.tables() if table["name"] == "account"]
    assert len(everything.schemas["account"]["schema"]["properties"]) == len(account["columns"])
    for stream in everything.schemas:
        assert not [name for row in everything.records(stream) for name in row if "@" in name]


def test_sync_with_a_catalog_does_not_download_the_metadata(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    tap.sync(catalog=select(catalog, {"team": None}))
    names = [request["path"].rpartition("/")[2] for request in service.requests()]
    assert names == ["token", "teams"]


def test_start_date_filters_rows(service: Sandbox, tap: Tap, catalog: Message) -> None:
    chosen = select(catalog, {"account": []})
    run = tap.but(start_date="2023-01-01").sync(catalog=chosen)
    assert 0 < run.counts["account"] < len(service.rows("account"))


def test_first_load_that_was_interrupted_resumes(
    large: Sandbox, tap_for: Callable[..., Tap]
) -> None:
    with TemporaryDirectory() as folder:
        process = tap_for(large, tables=["teammembership"]).start(Path(folder))
        lines = [*itertools.islice(process.stdout or (), MANY - 500)]
        process.kill()
        process.communicate()
    states = [message for message in map(json.loads, lines) if message["type"] == "STATE"]
    bookmark = states[-1]["value"]["bookmarks"]["teammembership"]["replication_key_value"]
    large.clear_requests()
    tap_for(large, tables=["teammembership"]).sync(state=states[-1]["value"])
    first = reads(large.requests())[0]
    assert first["query"]["$filter"] == f"versionnumber ge {bookmark}"


def test_table_with_more_than_5000_rows_is_read_whole(
    large: Sandbox, tap_for: Callable[..., Tap]
) -> None:
    assert tap_for(large, tables=["teammembership"]).sync().counts == {"teammembership": MANY}


def test_rows_with_the_same_time_are_read_once(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    chosen = select(catalog, {"account": []})
    first = tap.but(fetch_size=3).sync(catalog=chosen)
    ids = [row["accountid"] for row in first.records("account")]
    assert sorted(ids) == sorted(row["accountid"] for row in service.rows("account"))
    service.clear_requests()
    tap.sync(catalog=chosen, state=first.state)
    (query,) = [request["query"] for request in reads(service.requests())]
    last = first.state["bookmarks"]["account"]["replication_key_value"]
    assert query["$filter"] == f"modifiedon ge {look_back(last)}"
    assert query["$orderby"] == "modifiedon asc,accountid asc"


def test_selection_of_few_columns_receives_few_bytes(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    def cost(columns: list[str] | None) -> int:
        service.clear_requests()
        tap.sync(catalog=select(catalog, {"account": columns}))
        return sum(request["bytes"] for request in reads(service.requests()))

    assert cost(["name"]) < cost(None) / 5


@pytest.mark.parametrize("status", [403, 404])
def test_request_that_is_denied_is_not_repeated(
    service: Sandbox, tap: Tap, catalog: Message, status: int
) -> None:
    service.fault("accounts", status=status, count=None)
    run = tap.run(catalog=select(catalog, {"account": None}))
    assert run.status == 1
    assert str(status) in " ".join(run.logged("WARNING"))
    assert len(reads(service.requests())) == 1


def test_table_that_is_forbidden_stops_neither_run_nor_discovery(
    service: Sandbox, tap: Tap
) -> None:
    service.configure(forbidden_tables=["account"])
    few = tap.but(tables=["account", "team"])
    catalog = few.discover()
    assert len(catalog["streams"]) == 2
    assert few.sync(catalog=catalog).counts == {"team": len(service.rows("team"))}


def test_next_link_that_repeats_itself_ends_the_run(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.fault("accounts", repeat_next_link=True, count=None)
    tap.run(catalog=select(catalog, {"account": []})).refusal()
    assert len(reads(service.requests())) <= 2


def test_warnings_have_no_tokens(service: Sandbox, tap: Tap, catalog: Message) -> None:
    service.fault("teams", throttle="requests", retry_after="0")
    run = tap.sync(catalog=select(catalog, {"team": None}))
    assert run.logged("WARNING")
    assert "eyJ" not in run.log
    assert tap.settings["refresh_token"] not in run.log


def test_stdout_has_only_messages(everything: Run) -> None:
    for line in everything.output.removesuffix("\n").split("\n"):
        assert json.loads(line)["type"] in {"SCHEMA", "RECORD", "STATE"}
