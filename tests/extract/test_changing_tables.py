"""Tables and columns that change between discovery and sync, or during a sync."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import client
from tests.tap import Message, Tap, choose, entry, own_metadata, reads, select

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox

METHODS = ["INCREMENTAL", "LOG_BASED", "FULL_TABLE"]
MANY = [f"new_{'x' * 90}{number:03}" for number in range(340)]


@pytest.fixture
def service(changing_sandbox: Sandbox) -> Sandbox:
    """A Dynamics 365 of the test's own."""
    return changing_sandbox


@pytest.fixture
def tap(service: Sandbox, way: dict[str, Any]) -> Tap:
    """The tap set up for a few tables."""
    tables = ["account", "contact", "team"]
    return Tap({**service.settings, **way, "fetch_size": 100, "tables": tables})


@pytest.fixture(scope="module")
def discovered(sandbox: Sandbox) -> Message:
    """What the tap discovers in any Dynamics 365 with these tables."""
    return Tap({**sandbox.settings, "tables": ["account", "contact", "team"]}).discover()


def by(catalog: Message, method: str) -> Message:
    """Have all tables of a catalog replicated by one method."""
    chosen: Message = json.loads(json.dumps(catalog))
    for stream in chosen["streams"]:
        own_metadata(stream)["replication-method"] = method
    return chosen


@pytest.mark.parametrize("method", METHODS)
def test_column_that_was_removed_is_named_and_the_rest_is_read(
    service: Sandbox, tap: Tap, discovered: Message, method: str
) -> None:
    catalog = by(select(discovered, {"account": ["name", "fax", "sic"], "team": None}), method)
    first = tap.sync(catalog=catalog)
    for column in ("fax", "sic"):
        service.drop_column("account", column)
    for run in (tap.sync(catalog=catalog), tap.sync(catalog=catalog, state=first.state)):
        left = [text for text in run.logged("WARNING") if "has left the service" in text]
        assert len(left) == 2
        assert "'fax'" in "".join(left)
        assert "'sic'" in "".join(left)
        for row in run.records("account"):
            assert row.get("fax") is row.get("sic") is None
    anew = tap.sync(catalog=catalog)
    assert {row["accountid"]: row["name"] for row in anew.records("account")} == {
        row["accountid"]: row["name"] for row in service.rows("account")
    }
    assert anew.counts["team"] == len(service.rows("team"))


def test_type_that_was_changed_fails_only_its_table_unless_it_was_text(
    service: Sandbox, tap: Tap, discovered: Message
) -> None:
    number, text = "numberofemployees", "fax"
    catalog = select(discovered, {"account": ["name", number, text], "team": None})
    service.insert("account", [{"name": "New", number: 7, text: "7"}])
    state = tap.sync(catalog=catalog).state
    service.retype_column("account", text, "Edm.Int32")
    run = tap.sync(catalog=catalog, state=state)
    assert [row[text] for row in run.records("account") if row["name"] == "New"] == ["7"]
    service.retype_column("account", number, "Edm.String")
    run = tap.run(catalog=catalog, state=state)
    assert run.status == 1
    (error,) = [text for text in run.logged("ERROR") if "'account' failed" in text]
    assert f"'{number}'" in error
    assert "--discover" in error
    assert "account" not in run.counts
    assert "team" in run.schemas


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("status", [403, 404])
def test_table_that_is_refused_after_some_rows_fails_and_is_resumed(
    service: Sandbox, tap: Tap, discovered: Message, method: str, status: int
) -> None:
    catalog = by(select(discovered, {"contact": ["fullname"], "team": None}), method)
    code = {403: "0x80040220", 404: "0x80060888"}[status]
    # For a tracked table, the first page only shows whether there are more; then ids are read.
    pages = r"/contacts\?(?!.*\$top).*fullname"
    service.fault(pages, status=status, code=code, skip=1 + (method == "LOG_BASED"), count=None)
    run = tap.run(catalog=catalog)
    sentence = run.refusal()
    assert "Table 'contact' failed." in sentence
    assert str(status) in sentence
    assert run.counts["team"] == len(service.rows("team"))
    assert run.counts["contact"] > 0
    assert "Skipped" not in run.log
    service.clear_faults()
    second = tap.sync(catalog=catalog, state=run.state)
    sent = {row["contactid"] for each in (run, second) for row in each.records("contact")}
    assert sent == {row["contactid"] for row in service.rows("contact")}
    if method == "INCREMENTAL":
        assert second.counts["contact"] < len(sent)


def test_new_columns_are_named_once(service: Sandbox, tap: Tap, discovered: Message) -> None:
    catalog = select(discovered, {"account": None, "contact": None, "team": None})
    first = tap.sync(catalog=catalog)
    service.clear_requests()
    second = tap.sync(catalog=catalog, state=first.state)
    assert "$metadata" not in str(service.requests())
    service.add_column("account", "new_rank")
    third = tap.sync(catalog=catalog, state=second.state)
    (line,) = [text for text in third.logged("INFO") if "the catalog lacks" in text]
    assert "'account'" in line
    assert "new_rank" in line
    fourth = tap.sync(catalog=catalog, state=third.state)
    assert "the catalog lacks" not in fourth.log


def test_new_columns_that_cannot_be_read_are_named_by_a_later_run(
    service: Sandbox, tap: Tap, discovered: Message
) -> None:
    catalog = select(discovered, {"account": None})
    first = tap.sync(catalog=catalog)
    service.add_column("account", "new_rank")
    service.fault("metadata", status=403, count=None)
    second = tap.sync(catalog=catalog, state=first.state)
    assert "the catalog lacks" not in second.log
    service.clear_faults()
    third = tap.sync(catalog=catalog, state=second.state)
    assert "new_rank" in third.log
    assert "the catalog lacks" not in tap.sync(catalog=catalog, state=third.state).log


@pytest.mark.parametrize("method", METHODS)
def test_replication_key_that_was_removed_fails_only_its_table(
    service: Sandbox, tap: Tap, discovered: Message, method: str
) -> None:
    catalog = by(select(discovered, {"account": ["name"], "team": None}), method)
    service.drop_column("account", "modifiedon")
    run = tap.run(catalog=catalog)
    assert run.status == 1
    (error,) = [text for text in run.logged("ERROR") if "'account' failed" in text]
    assert "'modifiedon'" in error
    assert "--discover" in error
    assert run.counts == {"team": len(service.rows("team"))}


@pytest.mark.parametrize("method", METHODS)
def test_tables_that_are_gone_or_forbidden_are_skipped(
    service: Sandbox, tap: Tap, discovered: Message, method: str
) -> None:
    catalog = by(select(discovered, {"account": None, "contact": None, "team": None}), method)
    service.configure(forbidden_tables=["account"])
    service.drop_table("contact")
    run = tap.sync(catalog=catalog)
    assert run.counts == {"team": len(service.rows("team"))}
    *each, summary = run.logged("WARNING")
    assert len(each) == 2
    assert all("Skipped" in text for text in each)
    assert "2 of 3 tables" in summary
    assert "account" in summary
    assert "contact" in summary


@pytest.mark.parametrize("method", METHODS)
def test_run_fails_if_every_table_is_refused(
    service: Sandbox, tap: Tap, discovered: Message, method: str
) -> None:
    catalog = by(select(discovered, {"account": None, "contact": None}), method)
    service.configure(forbidden_tables=["account"])
    service.drop_table("contact")
    run = tap.run(catalog=catalog)
    assert "None of the selected tables" in run.refusal()


@pytest.fixture(scope="module")
def wide() -> Iterator[Sandbox]:
    """A Dynamics 365 that has a table with more columns than an address can hold."""
    with client.running(rows=200) as service:
        for name in MANY:
            service.add_column("team", name)
        yield service


@pytest.mark.parametrize("method", METHODS)
def test_more_columns_than_a_url_can_hold_are_read(
    wide: Sandbox, way: dict[str, Any], method: str
) -> None:
    tap = Tap({**wide.settings, **way, "tables": ["team"]})
    catalog = by(select(tap.discover(), {"team": MANY}), method)
    wide.clear_requests()
    run = tap.sync(catalog=catalog)
    assert run.counts == {"team": len(wide.rows("team"))}
    columns = set(MANY) | {*entry(catalog, "team")["key_properties"], "modifiedon"}
    assert {name for row in run.records("team") for name in row} - {"_sdc_deleted_at"} >= columns
    assert "description" not in run.records("team")[0]
    assert sum("too long for a URL" in text for text in run.logged("INFO")) == 1
    assert all(request["status"] == 200 for request in reads(wide.requests()))


def test_full_table_with_a_bookmark_of_another_key_keeps_it_until_it_is_complete(
    service: Sandbox, tap: Tap, discovered: Message
) -> None:
    chosen = choose(
        discovered, "team", replication_method="FULL_TABLE", replication_key="modifiedon"
    )
    before = {"replication_key": "name", "replication_key_value": "a"}
    service.fault("/teams", status=400, code="0x80040265", count=None)
    run = tap.run(catalog=chosen, state={"bookmarks": {"team": before}})
    assert run.status == 1
    assert not any("bookmark" in line for line in run.logged("WARNING"))
    assert run.state["bookmarks"]["team"].items() >= before.items()
