"""Rows out of order of their replication key: every run sends all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.tap import Message, Run, Tap, choose, entry, own_metadata, reads, select

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox

VIRTUAL, KEY = "new_externalorder", "new_externalorderid"
ENTITY_SET = "new_externalorders"
VALUE, MARK = "replication_key_value", "replication_key_unsorted"
# Found in every query for rows of a table in the order of the key, but for the greatest.
PAGES = r"/contacts\?(?!.*\$top)"
# What makes all rows as old as each other.
SAME = '"modifiedon":"2026-01-01T00:00:00Z"'
# What makes the rows of a page seem older than all others.
OLDER = [(r'"modifiedon":"20', '"modifiedon":"19')]


@pytest.fixture
def tap(service: Sandbox, way: dict[str, Any]) -> Tap:
    """The tap set up for the virtual table."""
    return Tap({**service.settings, **way, "fetch_size": 7, "tables": [VIRTUAL, "team"]})


@pytest.fixture
def virtual(service: Sandbox, tap: Tap) -> Callable[..., Message]:
    """Give the virtual table a provider, and discover it; the catalog need not say what it is."""

    def discover(provider: str, *, is_known: bool = True, status: int = 400) -> Message:
        service.configure(virtual_provider=provider, virtual_provider_status=status)
        catalog = select(tap.discover(), {VIRTUAL: None, "team": ["name"]})
        assert entry(catalog, VIRTUAL)["is_view"]
        if not is_known:
            del entry(catalog, VIRTUAL)["is_view"]
        service.clear_requests()
        return catalog

    return discover


@pytest.fixture
def ordinary(service: Sandbox, way: dict[str, Any]) -> tuple[Tap, Message]:
    """The tap and a catalog for a table of the service's own."""
    tap = Tap({**service.settings, **way, "fetch_size": 40, "tables": ["contact"]})
    return tap, select(tap.discover(), {"contact": ["fullname"]})


def ids(run: Run, stream: str = VIRTUAL) -> set[str]:
    """Keys of the rows that were sent."""
    key = KEY if stream == VIRTUAL else f"{stream}id"
    return {row[key] for row in run.records(stream)}


def kind(message: Message) -> str:
    """What a message is to the virtual table."""
    if message["type"] == "STATE" and VALUE in message["value"]["bookmarks"].get(VIRTUAL, {}):
        return "bookmark"
    is_record = message["type"] == "RECORD" and message["stream"] == VIRTUAL
    return "record" if is_record else "other"


def assert_right_from_each_state(
    tap: Tap, catalog: Message, run: Run, everything: set[str], stream: str
) -> None:
    """From each state that a run sent since it had no bookmark, the next sends all the rest."""
    sent: set[str] = set()
    states: list[tuple[Message, set[str]]] = []
    for message in run.messages:
        if message["type"] == "RECORD" and message["stream"] == stream:
            sent.add(message["record"][KEY if stream == VIRTUAL else f"{stream}id"])
        elif message["type"] == "STATE" and (not states or states[-1][0] != message["value"]):
            states.append((message["value"], {*sent}))
    has_value = [VALUE in state["bookmarks"].get(stream, {}) for state, _ in states]
    for state, before in states[has_value.index(False) :]:
        again = tap.sync(catalog=catalog, state=state)
        assert before | ids(again, stream) == everything


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
def test_provider_that_ignores_the_order_has_all_rows_sent_at_every_run(
    service: Sandbox,
    tap: Tap,
    virtual: Callable[..., Message],
    is_known: bool,  # noqa: FBT001 - a case
) -> None:
    catalog = virtual("ignores_order", is_known=is_known)
    everything = {row[KEY] for row in service.rows(VIRTUAL)}
    state: Message = {}
    for _ in range(3):
        run = tap.sync(catalog=catalog, state=state or None)
        assert ids(run) == everything
        (warning,) = run.logged("WARNING")
        assert f"All rows of '{VIRTUAL}' are read" in warning
        assert "out of order" in warning
        state = run.state
        assert state["bookmarks"][VIRTUAL][MARK] == "modifiedon"
        assert VALUE not in state["bookmarks"][VIRTUAL]
    assert VALUE in state["bookmarks"]["team"]


def test_virtual_table_has_no_bookmark_before_all_its_rows_were_sent(
    service: Sandbox, tap: Tap, virtual: Callable[..., Message]
) -> None:
    """Its provider may ignore the order, and the rows be in it all the same for a while."""
    catalog = virtual("ignores_order")
    rows = sorted(service.rows(VIRTUAL), key=lambda row: row[KEY][2:])
    in_order = len({row["modifiedon"] for row in rows})
    assert in_order > 1
    run = tap.sync(catalog=catalog)
    assert all(VALUE not in state["bookmarks"].get(VIRTUAL, {}) for state in run.states)
    assert_right_from_each_state(tap, catalog, run, {row[KEY] for row in rows}, VIRTUAL)


def test_virtual_table_in_order_is_read_incrementally_link_by_link(
    service: Sandbox, tap: Tap, virtual: Callable[..., Message]
) -> None:
    catalog = virtual("ignores_order")
    # Its provider sorts as it was asked to, as far as can be seen.
    service.fault(ENTITY_SET, substitute=[(r'"modifiedon":"[^"]*"', SAME)], count=None)
    run = tap.sync(catalog=catalog)
    assert not run.logged("WARNING")
    assert ids(run) == {row[KEY] for row in service.rows(VIRTUAL)}
    assert run.state["bookmarks"][VIRTUAL][VALUE] == "2026-01-01T00:00:00Z"
    kinds = [kind(message) for message in run.messages]
    assert kinds.index("bookmark") > max(i for i, name in enumerate(kinds) if name == "record")
    assert all(
        "$filter" not in request["query"] for request in reads(service.requests(), ENTITY_SET)
    )
    service.clear_requests()
    tap.sync(catalog=catalog, state=run.state)
    first = reads(service.requests(), ENTITY_SET)[0]
    assert "modifiedon ge 2025-12-31" in first["query"]["$filter"]


@pytest.mark.parametrize(("provider", "status"), [("refuses_order", 400), ("refuses_filter", 501)])
def test_provider_that_refuses_part_of_the_query_has_all_rows_sent(
    service: Sandbox,
    tap: Tap,
    virtual: Callable[..., Message],
    provider: str,
    status: int,
) -> None:
    catalog = virtual(provider, status=status)
    everything = {row[KEY] for row in service.rows(VIRTUAL)}
    before = {"replication_key": "modifiedon", VALUE: "2024-01-01T00:00:00Z"}
    run = tap.sync(catalog=catalog, state={"bookmarks": {VIRTUAL: before}})
    assert ids(run) == everything
    (warning,) = run.logged("WARNING")
    assert "does not support the query option" in warning
    assert run.state["bookmarks"][VIRTUAL].items() >= before.items()
    # One request more than the pages take.
    pages = -(-len(everything) // 7)
    assert len(reads(service.requests(), ENTITY_SET)) == pages + 1


def test_bookmark_from_before_the_run_is_restored_when_rows_come_out_of_order(
    service: Sandbox, ordinary: tuple[Tap, Message]
) -> None:
    tap, catalog = ordinary
    rows = sorted(service.rows("contact"), key=lambda row: row["modifiedon"])
    everything = {row["contactid"] for row in rows}
    start = rows[len(rows) // 4]["modifiedon"]
    before = {"replication_key": "modifiedon", VALUE: start}
    service.fault(PAGES, substitute=OLDER, skip=3)
    run = tap.sync(catalog=catalog, state={"bookmarks": {"contact": before}})
    assert ids(run, "contact") == everything
    (warning,) = run.logged("WARNING")
    assert "'contact'" in warning
    assert "modifiedon" in warning
    after = run.state["bookmarks"]["contact"]
    assert after.items() >= {**before, MARK: "modifiedon"}.items()
    # Once the disorder was seen, no state says anything of rows that were not sent.
    values = [state["bookmarks"]["contact"].get(VALUE) for state in run.states]
    void = values.index(None)
    assert set(values[void:]) == {None, start}
    service.clear_faults()
    assert_right_from_each_state(tap, catalog, run, everything, "contact")


def test_bookmark_in_the_future_is_not_restored_when_rows_come_out_of_order(
    tap: Tap, virtual: Callable[..., Message], service: Sandbox
) -> None:
    """What changes until that moment would be passed over when it has come."""
    catalog = virtual("ignores_order")
    ahead = {"replication_key": "modifiedon", VALUE: "2199-01-01T00:00:00Z"}
    run = tap.sync(catalog=catalog, state={"bookmarks": {VIRTUAL: ahead}})
    assert ids(run) == {row[KEY] for row in service.rows(VIRTUAL)}
    assert VALUE not in run.state["bookmarks"][VIRTUAL]


def test_rows_of_different_ranges_out_of_order_are_found(
    service: Sandbox, ordinary: tuple[Tap, Message]
) -> None:
    tap, catalog = ordinary
    service.fault(r"/contacts\?.* lt ", substitute=OLDER, skip=1, count=None)
    run = tap.sync(catalog=catalog)
    assert ids(run, "contact") == {row["contactid"] for row in service.rows("contact")}
    if service.hits() != [0]:
        assert len(run.logged("WARNING")) == 1
        assert VALUE not in run.state["bookmarks"]["contact"]


def test_rows_outside_the_requested_bounds_are_found(
    service: Sandbox, ordinary: tuple[Tap, Message]
) -> None:
    """A service that ignores the filter sends rows from before the bookmark, be they in order."""
    tap, catalog = ordinary
    rows = service.rows("contact")
    start = max(row["modifiedon"] for row in rows)
    before = {"replication_key": "modifiedon", VALUE: start}
    body = {"value": sorted(({**row} for row in rows[:20]), key=lambda row: row["modifiedon"])}
    service.fault(r"/contacts\?.*\$filter", status=200, body=body, count=None)
    run = tap.sync(catalog=catalog, state={"bookmarks": {"contact": before}})
    assert ids(run, "contact") == {row["contactid"] for row in rows}
    assert run.state["bookmarks"]["contact"][VALUE] == start


def test_order_that_was_wrong_once_is_not_trusted_again(
    service: Sandbox, ordinary: tuple[Tap, Message]
) -> None:
    tap, catalog = ordinary
    marked = {MARK: "modifiedon"}
    run = tap.sync(catalog=catalog, state={"bookmarks": {"contact": marked}})
    everything = {row["contactid"] for row in service.rows("contact")}
    assert ids(run, "contact") == everything
    assert len(run.records("contact")) == len(everything)
    states = [state["bookmarks"]["contact"] for state in run.states]
    assert all(VALUE not in state for state in states[:-1])
    assert VALUE in states[-1]
    # Another key is another matter.
    by_version = choose(catalog, "contact", replication_key="versionnumber")
    other = tap.sync(catalog=by_version, state={"bookmarks": {"contact": marked}})
    assert other.state["bookmarks"]["contact"]["replication_key"] == "versionnumber"


def test_first_load_of_a_tracked_table_out_of_order_ends_with_its_token(
    service: Sandbox, way: dict[str, Any]
) -> None:
    tap = Tap({**service.settings, **way, "fetch_size": 40, "tables": ["account"]})
    catalog = choose(tap.discover(), "account", replication_method="LOG_BASED")
    service.fault(r"/accounts\?.*\$orderby(?!.*\$top)", substitute=OLDER, skip=2)
    run = tap.sync(catalog=catalog)
    assert ids(run, "account") == {row["accountid"] for row in service.rows("account")}
    assert len(run.logged("WARNING")) == 1
    after = run.state["bookmarks"]["account"]
    assert "delta_token" in after
    assert VALUE not in after
    again = tap.sync(catalog=catalog, state=run.state)
    assert not again.records("account")
    assert own_metadata(entry(catalog, "account"))["replication-method"] == "LOG_BASED"
