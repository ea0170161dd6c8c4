"""Call limit: no more requests for one table, and no row is claimed that was not read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.tap import Message, Run, Tap, choose, in_one_mode, reads, select

if TYPE_CHECKING:
    from sandbox.client import Sandbox

LIMIT, PAGE = 3, 20
MESSAGE = "more than the 3 calls that stmt_call_limit allows"


@pytest.fixture(scope="module")
def limited(sandbox: Sandbox, way: dict[str, Any]) -> Tap:
    """The tap with a limit, in each of its ways; tables that reach it count as read."""
    settings: dict[str, Any] = {
        **sandbox.settings,
        **way,
        "fetch_size": PAGE,
        "stmt_call_limit": LIMIT,
        "stmt_call_limit_behavior": "ReturnResults",
    }
    return Tap(settings)


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox) -> Message:
    """Two tables of the session's Dynamics 365."""
    return Tap({**sandbox.settings, "tables": ["contact", "businessunit"]}).discover()


def is_honest(run: Run) -> bool:
    """Tell whether the bookmark is that of the last row sent."""
    last: str = run.records("contact")[-1]["modifiedon"]
    return bool(run.state["bookmarks"]["contact"]["replication_key_value"] == last)


def test_call_limit_that_is_reached_ends_the_table_and_keeps_what_was_read(
    service: Sandbox, limited: Tap, catalog: Message
) -> None:
    run = limited.sync(catalog=select(catalog, {"contact": ["fullname"]}))
    assert len(reads(service.requests(), "contacts")) == LIMIT
    assert len(service.requests()) <= LIMIT + 2
    assert run.counts == {"contact": LIMIT * PAGE}
    assert is_honest(run)
    (warning,) = run.logged("WARNING")
    assert "'contact' was read in part" in warning
    assert MESSAGE in warning


def test_call_limit_that_is_reached_fails_the_table_by_default(
    service: Sandbox, limited: Tap, catalog: Message
) -> None:
    by_default = limited.but(stmt_call_limit_behavior=None)
    run = by_default.run(catalog=select(catalog, {"contact": ["fullname"], "businessunit": None}))
    assert run.status == 1
    assert "Traceback" not in run.log
    *_, failed, summary = run.logged("ERROR")
    assert MESSAGE in failed
    assert "1 of 2 tables failed" in summary
    assert run.counts["contact"] == LIMIT * PAGE
    assert run.counts["businessunit"] == len(service.rows("businessunit"))
    # The SDK's own way sends no state of a table that failed.
    assert "contact" not in run.state["bookmarks"] or is_honest(run)


def test_runs_with_a_call_limit_continue_until_all_rows_were_sent(
    service: Sandbox, limited: Tap, catalog: Message
) -> None:
    chosen = select(catalog, {"contact": ["fullname"]})
    rows, state, sent = len(service.rows("contact")), None, set[str]()
    # The last row of a run is the first of the next.
    runs = -(-rows // (LIMIT * PAGE - 1))
    for number in range(runs):
        run = limited.sync(catalog=chosen, state=state)
        sent.update(row["contactid"] for row in run.records("contact"))
        state = run.state
        is_last = number == runs - 1
        assert any("in part" in line for line in run.logged("WARNING")) != is_last
        assert ("replication_key_began" in state["bookmarks"]["contact"]) != is_last
    assert sent == {row["contactid"] for row in service.rows("contact")}


@pytest.mark.parametrize("lookback", [0, 300])
def test_runs_with_a_call_limit_and_a_numeric_key_read_the_changes_of_all_runs_again(
    service: Sandbox, limited: Tap, catalog: Message, lookback: int
) -> None:
    by_number = choose(
        catalog, "contact", replication_method="INCREMENTAL", replication_key="versionnumber"
    )
    tap = limited.but(lookback_seconds=lookback)
    versions = sorted(row["versionnumber"] for row in service.rows("contact"))
    began = versions[len(versions) - 2 * LIMIT * PAGE]
    overlap = versions[len(versions) - 2 * LIMIT * PAGE - 30]
    state: Message = {
        "bookmarks": {
            "contact": {
                "replication_key": "versionnumber",
                "replication_key_value": began,
                "replication_key_overlap": overlap,
            }
        }
    }
    first = overlap if lookback else began
    sent: list[int] = []
    while True:
        run = tap.sync(catalog=by_number, state=state)
        sent += [row["versionnumber"] for row in run.records("contact")]
        state = run.state
        bookmark = state["bookmarks"]["contact"]
        if "replication_key_began" not in bookmark:
            break
        assert bookmark["replication_key_began"] == began
    assert sorted(set(sent)) == [version for version in versions if version >= first]
    assert bookmark.get("replication_key_overlap") == (began if lookback else None)


def test_call_limit_counts_retries(service: Sandbox, limited: Tap, catalog: Message) -> None:
    service.fault("contacts.*skiptoken", status=503, retry_after="0")
    run = limited.sync(catalog=select(catalog, {"contact": ["fullname"]}))
    assert len(reads(service.requests(), "contacts")) == LIMIT
    assert run.counts == {"contact": (LIMIT - 1) * PAGE}
    assert is_honest(run)


@pytest.mark.parametrize("method", ["FULL_TABLE", "LOG_BASED"])
def test_table_cut_short_by_the_call_limit_is_not_complete(
    service: Sandbox, limited: Tap, catalog: Message, method: str
) -> None:
    versioned = limited.but(emit_activate_version_messages=True)
    run = versioned.sync(catalog=choose(catalog, "contact", replication_method=method))
    assert len(reads(service.requests(), "contacts")) == LIMIT
    assert not any(message["type"] == "ACTIVATE_VERSION" for message in run.messages)
    assert "delta_token" not in run.state.get("bookmarks", {}).get("contact", {})
    assert any("in part" in line for line in run.logged("WARNING"))
    assert set(run.schemas) == {"contact"}


@in_one_mode
def test_table_within_the_call_limit_is_read_as_usual(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    rows = len(service.rows("contact"))
    enough = tap.but(fetch_size=100, stmt_call_limit=-(-rows // 100))
    run = enough.sync(catalog=select(catalog, {"contact": ["fullname"]}))
    assert run.counts == {"contact": rows}
    assert not run.logged("WARNING")


@in_one_mode
def test_behavior_that_does_not_exist_is_refused_in_one_sentence(tap: Tap) -> None:
    sentence = tap.but(stmt_call_limit_behavior="Sometimes").run("--discover").refusal()
    assert "stmt_call_limit_behavior must be ErrorAlways or ReturnResults" in sentence
