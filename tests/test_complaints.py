"""What users of other extractors for Dynamics 365 complain of in public: not of this one.

Each test is named after a complaint, and short: the whole of the matter is tested elsewhere.
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
    """A first sync of all that is selected by default."""
    return tap.sync(catalog=catalog)


@pytest.fixture(scope="module")
def large() -> Iterator[Sandbox]:
    """A Dynamics 365 with a table of more rows than two pages hold."""
    with client.running(rows=MANY, table="teammembership") as running:
        yield running


def properties(catalog: Message, stream: str) -> Message:
    """The columns of a stream."""
    columns: Message = entry(catalog, stream)["schema"]["properties"]
    return columns


@pytest.mark.parametrize(
    "stream", ["systemuser", "team", "task", "email", "phonecall", "appointment"]
)
def test_inherited_columns_and_keys_are_missed(catalog: Message, stream: str) -> None:
    inherited = "ownerid" if stream in {"systemuser", "team"} else "subject"
    assert inherited in properties(catalog, stream)
    assert entry(catalog, stream)["key_properties"]


def test_polymorphic_lookups_are_missing(catalog: Message, everything: Run) -> None:
    for stream, column in (("opportunity", "_customerid_value"), ("account", "_ownerid_value")):
        assert properties(catalog, stream)[column]["format"] == "uuid"
        assert any(row[column] for row in everything.records(stream))


def test_days_are_given_as_moments(catalog: Message, everything: Run) -> None:
    assert properties(catalog, "new_project")["new_startdate"]["format"] == "date"
    days = {row["new_startdate"] for row in everything.records("new_project")} - {None}
    assert days
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for day in days)


def test_money_goes_through_binary_fractions(sandbox: Sandbox, everything: Run) -> None:
    sums = {row["accountid"]: str(row["revenue"]) for row in sandbox.rows("account")}
    assert {r["accountid"]: str(r["revenue"]) for r in everything.records("account")} == sums
    factors = {row["new_factor"] for row in sandbox.rows("new_measurement")} - {None}
    exact = {f"{factor:f}" for factor in factors}
    assert any(repr(float(number)) != number for number in exact)
    for number in exact:
        assert f'"new_factor":{number},' in everything.output


def test_columns_without_values_vanish(tap: Tap, catalog: Message) -> None:
    chosen = select(catalog, {"account": None})
    run = tap.but(start_date="2099-01-01").sync(catalog=chosen)
    assert not run.counts
    assert set(run.schemas["account"]["schema"]["properties"]) == set(
        properties(catalog, "account")
    )


def test_twice_as_many_columns_are_declared_as_there_are(sandbox: Sandbox, everything: Run) -> None:
    (account,) = [table for table in sandbox.tables() if table["name"] == "account"]
    assert len(everything.schemas["account"]["schema"]["properties"]) == len(account["columns"])
    for stream in everything.schemas:
        assert not [name for row in everything.records(stream) for name in row if "@" in name]


def test_metadata_is_downloaded_at_every_sync(service: Sandbox, tap: Tap, catalog: Message) -> None:
    tap.sync(catalog=select(catalog, {"team": None}))
    names = [request["path"].rpartition("/")[2] for request in service.requests()]
    assert names == ["token", "teams"]


def test_the_start_date_has_no_effect(service: Sandbox, tap: Tap, catalog: Message) -> None:
    chosen = select(catalog, {"account": []})
    run = tap.but(start_date="2023-01-01").sync(catalog=chosen)
    assert 0 < run.counts["account"] < len(service.rows("account"))


def test_an_interrupted_first_load_starts_from_zero(
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


def test_reading_stops_at_5000_rows_without_a_word(
    large: Sandbox, tap_for: Callable[..., Tap]
) -> None:
    assert tap_for(large, tables=["teammembership"]).sync().counts == {"teammembership": MANY}


def test_rows_of_one_second_are_lost_or_doubled(
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


def test_three_columns_cost_as_much_as_all(service: Sandbox, tap: Tap, catalog: Message) -> None:
    def cost(columns: list[str] | None) -> int:
        service.clear_requests()
        tap.sync(catalog=select(catalog, {"account": columns}))
        return sum(request["bytes"] for request in reads(service.requests()))

    assert cost(["name"]) < cost(None) / 5


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_is_asked_for_five_times(
    service: Sandbox, tap: Tap, catalog: Message, status: int
) -> None:
    service.fault("accounts", status=status, count=None)
    run = tap.run(catalog=select(catalog, {"account": None}))
    assert run.status == 1
    assert str(status) in " ".join(run.logged("WARNING"))
    assert len(reads(service.requests())) == 1


def test_a_table_that_may_not_be_read_kills_the_run_or_discovery(
    service: Sandbox, tap: Tap
) -> None:
    service.configure(forbidden_tables=["account"])
    few = tap.but(tables=["account", "team"])
    catalog = few.discover()
    assert len(catalog["streams"]) == 2
    assert few.sync(catalog=catalog).counts == {"team": len(service.rows("team"))}


def test_the_same_link_is_followed_for_ever(service: Sandbox, tap: Tap, catalog: Message) -> None:
    service.fault("accounts", repeat_next_link=True, count=None)
    tap.run(catalog=select(catalog, {"account": []})).refusal()
    assert len(reads(service.requests())) <= 2


def test_tokens_are_in_the_warnings(service: Sandbox, tap: Tap, catalog: Message) -> None:
    service.fault("teams", throttle="requests", retry_after="0")
    run = tap.sync(catalog=select(catalog, {"team": None}))
    assert run.logged("WARNING")
    assert "eyJ" not in run.log
    assert tap.settings["refresh_token"] not in run.log


def test_stdout_has_blank_lines_and_logs(everything: Run) -> None:
    for line in everything.output.removesuffix("\n").split("\n"):
        assert json.loads(line)["type"] in {"SCHEMA", "RECORD", "STATE"}
