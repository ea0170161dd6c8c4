"""State of readings: exactly what was handed out, shared with the tap; deletes; interruptions."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamics365.arrow import ArrowSource, Outcome
from tap_dynamics365.errors import ServiceError
from tests.arrow.expected import table_of
from tests.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox
    from sandbox.finance_client import FinanceSandbox

SETTINGS = {"fetch_size": 50, "max_parallel_requests": 4}


@pytest.fixture
def source(changing_sandbox: Sandbox) -> Iterator[ArrowSource]:
    """A sandbox that the test may change, opened with small pages."""
    with ArrowSource({**changing_sandbox.settings, **SETTINGS}) as opened:
        yield opened


def threads() -> set[threading.Thread]:
    return set(threading.enumerate())


def test_reading_that_continues_from_any_batch_has_all_other_rows(
    sandbox: Sandbox, finance: FinanceSandbox
) -> None:
    finance.configure(page_size_cap=10)
    for service, table, key, method in (
        (sandbox, "contact", "contactid", "INCREMENTAL"),
        (finance, "CustomersV3", "CustomerAccount", "FULL_TABLE"),
    ):
        with ArrowSource({**service.settings, **SETTINGS, "fetch_size": 10}) as source:
            ids = {*table_of(source.read(table, [key], method=method))[0].to_pylist()}
            for taken in (1, 3, 6):
                begun = source.read(table, [key], method=method)
                first = [each for batch in islice(begun, taken) for each in batch[0].to_pylist()]
                assert 0 < len(first) < len(ids)
                left = source.read(table, [key], method=method, state=begun.state)
                rest = table_of(left)[0].to_pylist()
                assert ids == {*first, *rest}
                # Rows with the time of the bookmark come again.
                assert len(first) + len(rest) < len(ids) + 10
                assert left.version == begun.version
                assert left.replaces_table == (method == "FULL_TABLE")


def test_state_before_the_first_and_after_the_last_batch_is_that_of_the_table(
    source: ArrowSource,
) -> None:
    before = {"bookmarks": {"team": {"delta_token": "1!"}}}
    reading = source.read("account", ["name"], state=before)
    assert reading.state == before
    assert reading.outcome is None
    table_of(reading)
    assert reading.state["bookmarks"]["team"] == {"delta_token": "1!"}
    assert reading.state["bookmarks"]["account"]["replication_key"] == "modifiedon"
    again = source.read("account", ["name"], state=reading.state)
    assert table_of(again).num_rows <= 2
    whole = source.read("account", ["name"], method="FULL_TABLE", state=reading.state)
    assert table_of(whole).num_rows == reading.rows
    assert whole.replaces_table


def test_reading_that_is_left_early_ends_its_threads(source: ArrowSource) -> None:
    before = threads()
    left = source.read("contact")
    for batch in left:
        assert batch.num_rows == SETTINGS["fetch_size"]
        assert threads() - before
        break
    with source.read_tables(["contact", "account"]) as readings:
        taken = iter(readings)
        next(taken)
    # Made, and never asked for a batch.
    source.read("contact")
    for thread in threads() - before:
        thread.join(10)
    assert not threads() - before
    assert left.outcome is None
    assert list(left) == []


def test_batches_that_nobody_takes_are_not_read_ahead_without_bounds(
    changing_sandbox: Sandbox,
) -> None:
    settings = {**changing_sandbox.settings, "fetch_size": 10, "max_parallel_requests": 2}
    with ArrowSource(settings) as source, source.read("contact") as reading:
        batches = iter(reading)
        next(batches)
        for thread in threading.enumerate():
            # All requests in flight have ended once the pages wait for somebody.
            if thread.name == "fetch":
                thread.join(0.2)
        asked = [each for each in changing_sandbox.requests() if "/contacts" in each["path"]]
    assert len(asked) <= 6
    assert len(changing_sandbox.rows("contact")) > 400


def tap_of(sandbox: Sandbox, method: str, table: str) -> tuple[Tap, dict[str, Any]]:
    """Return the tap and a catalog of one table."""
    tap = Tap(
        {
            **sandbox.settings,
            **SETTINGS,
            "replication_method": method,
            "tables": [table],
            # Such a state has no version, and is continued nevertheless.
            "emit_activate_version_messages": False,
        }
    )
    return tap, tap.discover()


@pytest.mark.parametrize("method", ["INCREMENTAL", "LOG_BASED"])
def test_state_of_a_reading_is_continued_by_the_tap_and_back(
    changing_sandbox: Sandbox, source: ArrowSource, method: str
) -> None:
    tap, catalog = tap_of(changing_sandbox, method, "account")
    reading = source.read("account", method=method)
    ids = table_of(reading)["accountid"].to_pylist()
    changing_sandbox.update("account", ids[0], {"name": "By the tap"})
    run = tap.sync(catalog=catalog, state=reading.state)
    assert run.status == 0, run.log
    assert "By the tap" in {record["name"] for record in run.records("account")}
    assert len(run.records("account")) <= 2
    changing_sandbox.update("account", ids[1], {"name": "By Arrow"})
    back = source.read("account", method=method, state=run.state)
    table = table_of(back)
    assert "By Arrow" in table["name"].to_pylist()
    assert table.num_rows <= 3
    assert not back.replaces_table


def test_deleted_row_has_its_key_and_the_time_and_nothing_else(
    changing_sandbox: Sandbox, source: ArrowSource
) -> None:
    columns = ["name", "statecode"]
    first = source.read("account", columns, method="LOG_BASED")
    assert first.schema.names == ["accountid", "name", "statecode", "_sdc_deleted_at"]
    ids = table_of(first)["accountid"].to_pylist()
    assert first.replaces_table
    changing_sandbox.delete("account", ids[5])
    changing_sandbox.update("account", ids[6], {"name": "Changed"})
    second = source.read("account", columns, method="LOG_BASED", state=first.state)
    rows = {row["accountid"]: row for row in table_of(second).to_pylist()}
    assert rows.keys() == {ids[5], ids[6]}
    assert rows[ids[5]]["_sdc_deleted_at"] is not None
    assert rows[ids[5]]["name"] is rows[ids[5]]["statecode"] is None
    assert (rows[ids[6]]["name"], rows[ids[6]]["_sdc_deleted_at"]) == ("Changed", None)
    assert not second.replaces_table
    changing_sandbox.expire_delta_tokens()
    third = source.read("account", columns, method="LOG_BASED", state=second.state)
    assert table_of(third).num_rows == len(ids) - 1
    assert third.replaces_table


@pytest.mark.parametrize("requests", [1, 8])
def test_faults_that_pass_lose_no_row(service: Sandbox, requests: int) -> None:
    settings = {**service.settings, "fetch_size": 20, "max_parallel_requests": requests}
    service.fault("/contacts", skip=3, count=2, status=503, retry_after="0.1")
    service.fault("/contacts", skip=6, count=2, status=429, retry_after="0.1")
    service.fault("/contacts", skip=9, count=2, truncate=True)
    with ArrowSource(settings) as source:
        found = table_of(source.read("contact", ["contactid"], method="FULL_TABLE"))
    ids = [row["contactid"] for row in service.rows("contact")]
    assert sorted(found[0].to_pylist()) == sorted(ids)
    assert all(service.hits())


@pytest.mark.parametrize("skip", [2, 3, 4, 5, 6])
def test_failure_comes_after_the_batches_before_it_and_the_state_covers_those(
    service: Sandbox, skip: int
) -> None:
    service.fault("/contacts", skip=skip, status=400, code="0x80040203", count=None)
    ids = {row["contactid"] for row in service.rows("contact")}
    keys: set[str] = set()
    with ArrowSource({**service.settings, **SETTINGS}) as source:
        reading = source.read("contact", ["contactid", "modifiedon"])

        def take() -> None:
            for batch in reading:
                keys.update(batch["contactid"].to_pylist())
                # Several pages may be read before the failure is handled.
                end = time.monotonic() + 0.3
                while service.hits() == [0] and time.monotonic() < end:
                    time.sleep(0.01)
                bookmark = reading.state["bookmarks"]["contact"]["replication_key_value"]
                assert datetime.fromisoformat(bookmark) == batch["modifiedon"][-1].as_py()

        with pytest.raises(ServiceError):
            take()
        assert keys
        assert reading.outcome is Outcome.FAILED
        assert not reading.replaces_table
        service.clear_faults()
        rest = table_of(source.read("contact", ["contactid"], state=reading.state))
    assert {*keys, *rest[0].to_pylist()} == ids
    assert rest.num_rows < len(ids)
