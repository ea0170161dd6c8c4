"""Change tracking: first load, changes, deletes, and refusals."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.tap import (
    Message,
    Run,
    Tap,
    choose,
    entry,
    in_one_mode,
    own_metadata,
    reads,
    select,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox

LARGE, SMALL = "account", "teammembership"
DELETED_AT = "_sdc_deleted_at"


@pytest.fixture
def service(changing_sandbox: Sandbox) -> Sandbox:
    """A Dynamics 365 of the test's own."""
    return changing_sandbox


@pytest.fixture
def tap(service: Sandbox, way: dict[str, Any]) -> Tap:
    """The tap set up for two tables whose changes are tracked, the larger one of several pages."""
    more = {"fetch_size": 100, "replication_method": "log_based", "tables": [LARGE, SMALL]}
    return Tap({**service.settings, **way, **more})


@pytest.fixture(scope="module")
def discovered(sandbox: Sandbox) -> Message:
    """What the tap discovers in any Dynamics 365 with these tables."""
    more = {"replication_method": "log_based", "tables": [LARGE, SMALL]}
    return Tap({**sandbox.settings, **more}).discover()


def folded(*runs: Run, stream: str = LARGE) -> dict[str, Message]:
    """Do as a target does: keep the latest record of each key, and drop what was deleted."""
    rows: dict[str, Message] = {}
    for run in runs:
        for message in run.messages:
            if message["type"] == "RECORD" and message["stream"] == stream:
                record = message["record"]
                key = record[run.schemas[stream]["key_properties"][0]]
                if record.get(DELETED_AT):
                    rows.pop(key, None)
                else:
                    rows[key] = {k: v for k, v in record.items() if k != DELETED_AT}
    return rows


def stored(service: Sandbox, run: Run, stream: str = LARGE) -> dict[str, Message]:
    """The rows that the service has, by key, with the columns that are sent."""
    (key,) = run.schemas[stream]["key_properties"]
    columns = set(run.schemas[stream]["schema"]["properties"]) - {DELETED_AT}
    return {row[key]: {name: row[name] for name in columns} for row in service.rows(stream)}


def queries(service: Sandbox, entity_set: str = "accounts") -> list[Message]:
    """The queries for rows since the log was cleared."""
    return [request["query"] for request in reads(service.requests(), entity_set)]


def test_discovery_marks_tables_with_change_tracking(
    service: Sandbox, tap_for: Callable[..., Tap]
) -> None:
    tap = tap_for(service, replication_method="LOG_BASED")
    tracked = {table["name"] for table in service.tables() if table["change_tracking"]}
    found = tap.discover()["streams"]
    methods = {stream["tap_stream_id"]: stream["replication_method"] for stream in found}
    assert {name for name in methods if methods[name] == "LOG_BASED"} == tracked & set(methods)
    assert "LOG_BASED" not in {
        stream["replication_method"]
        for stream in tap.but(replication_method=None).discover()["streams"]
    }
    for stream in found:
        columns = stream["schema"]["properties"]
        assert (DELETED_AT in columns) == (stream["replication_method"] == "LOG_BASED")


def test_method_chosen_in_the_metadata_wins(service: Sandbox, tap_for: Callable[..., Tap]) -> None:
    tap = tap_for(service, tables=[LARGE])
    run = tap.sync(catalog=choose(tap.discover(), LARGE, replication_method="LOG_BASED"))
    assert "delta_token" in run.state["bookmarks"][LARGE]
    assert run.schemas[LARGE]["schema"]["properties"][DELETED_AT]["format"] == "date-time"


def test_small_table_is_loaded_with_one_request(
    service: Sandbox, tap: Tap, discovered: Message
) -> None:
    run = tap.but(fetch_size=5_000).sync(catalog=select(discovered, {LARGE: None}))
    assert len(queries(service)) == 1
    assert folded(run) == stored(service, run)
    assert set(run.state["bookmarks"][LARGE]) == {"delta_token", "version"}


def test_large_table_is_loaded_sorted_after_its_delta_token(
    service: Sandbox, tap: Tap, discovered: Message
) -> None:
    catalog = select(discovered, {LARGE: ["name"]})
    service.clear_requests()
    run = tap.sync(catalog=catalog)
    assert folded(run) == stored(service, run)
    assert run.counts[LARGE] == len(service.rows(LARGE))
    requests = reads(service.requests(), "accounts")
    tracked = ["track-changes" in request["headers"]["prefer"] for request in requests]
    assert [value for value, _ in itertools.groupby(tracked)] == [True, False]
    ids = [r["query"] for r in requests if r["query"]["$select"] == "accountid"]
    assert len(ids) == 4
    assert "$deltatoken" in requests[-1]["query"]
    values = [row["modifiedon"] for row in run.records(LARGE)]
    assert values == sorted(values)
    for state in run.states[:-1]:
        if "replication_key_value" in state["bookmarks"].get(LARGE, {}):
            assert "delta_token" in state["bookmarks"][LARGE]


def test_changes_and_deletes_cost_one_request(
    service: Sandbox, tap: Tap, discovered: Message
) -> None:
    catalog = discovered
    first = tap.sync(catalog=catalog)
    ids = [row["accountid"] for row in first.records(LARGE)]
    service.update(LARGE, ids[0], {"name": "Changed"})
    service.delete(LARGE, ids[1])
    (added,) = service.insert(LARGE, [{"name": "Added"}])
    (brief,) = service.insert(LARGE, [{"name": "Added and deleted"}])
    service.delete(LARGE, brief["accountid"])
    service.clear_requests()
    second = tap.sync(catalog=catalog, state=first.state)
    assert len(reads(service.requests())) == 2
    (query,) = queries(service)
    assert query["$deltatoken"] == first.state["bookmarks"][LARGE]["delta_token"]
    assert DELETED_AT not in query["$select"]
    sent = {row["accountid"]: row for row in second.records(LARGE)}
    assert set(sent) == {ids[0], ids[1], added["accountid"], brief["accountid"]}
    for key in (ids[1], brief["accountid"]):
        assert set(sent[key]) == {"accountid", DELETED_AT}
        assert sent[key][DELETED_AT]
    assert sent[ids[0]][DELETED_AT] is None
    assert folded(first, second) == stored(service, first)
    for row in second.records(LARGE):
        jsonschema.validate(row, second.schemas[LARGE]["schema"])

    service.clear_requests()
    third = tap.sync(catalog=catalog, state=second.state)
    assert not third.counts
    assert len(reads(service.requests())) == 2


def test_row_that_is_created_again_is_not_marked_as_deleted(
    service: Sandbox, tap: Tap, discovered: Message
) -> None:
    catalog = discovered
    first = tap.sync(catalog=catalog)
    key = first.records(LARGE)[0]["accountid"]
    service.delete(LARGE, key)
    second = tap.sync(catalog=catalog, state=first.state)
    service.insert(LARGE, [{"accountid": key, "name": "Restored"}])
    third = tap.sync(catalog=catalog, state=second.state)
    (row,) = third.records(LARGE)
    assert (row["name"], row[DELETED_AT]) == ("Restored", None)


def test_changes_after_a_new_selection_have_its_columns(
    service: Sandbox, tap: Tap, discovered: Message
) -> None:
    catalog = discovered
    first = tap.sync(catalog=select(catalog, {LARGE: ["name"]}))
    service.update(LARGE, first.records(LARGE)[0]["accountid"], {"fax": "1", "name": "x"})
    second = tap.sync(catalog=select(catalog, {LARGE: ["fax"]}), state=first.state)
    (row,) = second.records(LARGE)
    assert row["fax"] == "1"
    assert "name" not in row


def test_table_without_a_replication_key_is_read_by_tracked_pages(
    service: Sandbox, tap: Tap, discovered: Message
) -> None:
    catalog = select(discovered, {LARGE: ["name"]})
    del entry(catalog, LARGE)["replication_key"]
    service.clear_requests()
    first = tap.sync(catalog=catalog)
    assert all("$orderby" not in query for query in queries(service))
    assert len(queries(service)) == 4
    assert folded(first) == stored(service, first)
    service.delete(LARGE, first.records(LARGE)[0]["accountid"])
    second = tap.sync(catalog=catalog, state=first.state)
    assert folded(first, second) == stored(service, first)


def test_rows_changed_and_deleted_during_a_first_load_are_included(
    service: Sandbox, tap: Tap, discovered: Message
) -> None:
    """The tap is held up by a full pipe meanwhile."""
    catalog = select(discovered, {LARGE: None})
    ids = [row["accountid"] for row in sorted(service.rows(LARGE), key=lambda r: r["modifiedon"])]
    with TemporaryDirectory() as folder:
        process = tap.start(Path(folder), catalog=catalog)
        if process.stdout is None:
            pytest.fail("no output")
        head = [process.stdout.readline() for _ in range(20)]
        service.update(LARGE, ids[0], {"name": "Changed meanwhile"})
        service.delete(LARGE, ids[1])
        service.delete(LARGE, ids[-1])
        service.insert(LARGE, [{"name": "Added before", "modifiedon": "2019-01-01T00:00:00Z"}])
        output = b"".join(head) + process.stdout.read()
        _, log = process.communicate(timeout=60)
    run = Run(process.returncode, output.decode(), log.decode())
    assert run.status == 0, run.log
    assert folded(run) == stored(service, run)


def test_first_load_that_was_killed_is_resumed(
    service: Sandbox, tap: Tap, discovered: Message
) -> None:
    catalog = select(discovered, {LARGE: ["name"]})
    with TemporaryDirectory() as folder:
        process = tap.but(fetch_size=50).start(Path(folder), catalog=catalog)
        lines = []
        for line in process.stdout or ():
            lines.append(line.decode())
            if "delta_token" in lines[-1] and "replication_key_value" in lines[-1]:
                break
        process.kill()
        process.communicate()
    killed = Run(1, "".join(lines), "")
    service.delete(LARGE, killed.records(LARGE)[0]["accountid"])
    service.clear_requests()
    rest = tap.sync(catalog=catalog, state=killed.state)
    assert "track-changes" not in str(service.requests())
    assert folded(killed, rest) == stored(service, rest)
    assert set(rest.state["bookmarks"][LARGE]) == {"delta_token", "metadata_version", "version"}


@pytest.mark.parametrize("key", ["versionnumber", None])
def test_first_load_by_another_key_starts_again(
    service: Sandbox, tap: Tap, discovered: Message, key: str | None
) -> None:
    catalog = select(discovered, {LARGE: ["name"]})
    loaded = tap.sync(catalog=catalog).state["bookmarks"][LARGE]
    last = max(row["modifiedon"] for row in service.rows(LARGE))
    state = {**loaded, "replication_key": "modifiedon", "replication_key_value": last}
    entry(catalog, LARGE)["replication_key"] = key
    run = tap.sync(catalog=catalog, state={"bookmarks": {LARGE: state}})
    assert folded(run) == stored(service, run)
    assert set(run.state["bookmarks"][LARGE]) <= {"delta_token", "metadata_version", "version"}


@pytest.mark.parametrize("versions", [False, True])
def test_expired_token_causes_a_full_read(
    service: Sandbox, tap: Tap, discovered: Message, *, versions: bool
) -> None:
    if not versions:
        tap = tap.but(emit_activate_version_messages=False)
    catalog = select(discovered, {LARGE: ["name"]})
    first = tap.sync(catalog=catalog)
    service.delete(LARGE, first.records(LARGE)[0]["accountid"])
    service.expire_delta_tokens()
    second = tap.sync(catalog=catalog, state=first.state)
    (warning,) = second.logged("WARNING")
    assert "0x80044352" in warning
    assert ("emit_activate_version_messages" in warning) != versions
    assert folded(second) == stored(service, second)
    assert activated(second) == ([second.state["bookmarks"][LARGE]["version"]] if versions else [])
    if versions:
        assert first.state["bookmarks"][LARGE]["version"] < activated(second)[0]
    third = tap.sync(catalog=catalog, state=second.state)
    assert not third.logged("WARNING")
    assert not third.counts


def activated(run: Run) -> list[int]:
    """The versions that were activated."""
    return [m["version"] for m in run.messages if m["type"] == "ACTIVATE_VERSION"]


def test_deletes_have_no_version_and_other_records_have_one(
    service: Sandbox, tap: Tap, discovered: Message
) -> None:
    catalog = select(discovered, {LARGE: ["name"]})
    first = tap.sync(catalog=catalog)
    kept, gone = (row["accountid"] for row in first.records(LARGE)[:2])
    service.update(LARGE, kept, {"name": "Changed"})
    service.delete(LARGE, gone)
    second = tap.sync(catalog=catalog, state=first.state)
    versions = {
        message["record"]["accountid"]: message.get("version")
        for message in second.messages
        if message["type"] == "RECORD"
    }
    (version,) = activated(first)
    assert versions == {kept: version, gone: None}
    # A target that hard-deletes drops the records of deletions with it.
    assert activated(second) == [version]
    service.update(LARGE, kept, {"name": "Changed again"})
    third = tap.sync(catalog=catalog, state=second.state)
    assert third.counts == {LARGE: 1}
    assert not activated(third)


@pytest.mark.parametrize("method", ["INCREMENTAL", "LOG_BASED"])
def test_state_without_a_version_causes_one_full_read(
    service: Sandbox, tap: Tap, discovered: Message, method: str
) -> None:
    catalog = select(discovered, {LARGE: ["name"]})
    before = choose(catalog, LARGE, replication_method=method)
    first = tap.but(emit_activate_version_messages=False).sync(catalog=before)
    assert "version" not in first.state["bookmarks"][LARGE]
    service.delete(LARGE, first.records(LARGE)[0]["accountid"])
    second = tap.sync(catalog=catalog, state=first.state)
    (warning,) = second.logged("WARNING")
    assert "emit_activate_version_messages" in warning
    assert folded(second) == stored(service, second)
    assert activated(second) == [second.state["bookmarks"][LARGE]["version"]]
    third = tap.sync(catalog=catalog, state=second.state)
    assert not third.counts
    assert not third.logged("WARNING")


@in_one_mode
def test_activate_version_is_off_by_default_for_other_methods(
    service: Sandbox, tap_for: Callable[..., Tap]
) -> None:
    tap = tap_for(service, tables=[LARGE, "bulkdeletefailure"])
    run = tap.sync(catalog=select(tap.discover(), {LARGE: [], "bulkdeletefailure": []}))
    assert not activated(run)
    assert not [message for message in run.messages if "version" in message]


@pytest.mark.parametrize("forbidden", [False, True])
def test_tracking_that_is_refused_is_replaced_by_another_method(
    service: Sandbox, tap: Tap, discovered: Message, *, forbidden: bool
) -> None:
    catalog = select(discovered, {LARGE: ["name"]})
    first = tap.sync(catalog=catalog)
    if forbidden:
        service.configure(forbidden_tracking=[LARGE])
    else:
        service.track_changes(LARGE, on=False)
    service.update(LARGE, first.records(LARGE)[0]["accountid"], {"name": "Changed"})
    second = tap.sync(catalog=catalog, state=first.state)
    (warning,) = second.logged("WARNING")
    assert "INCREMENTAL" in warning
    assert folded(first, second) == stored(service, second)
    anew = tap.sync(catalog=catalog)
    assert len(anew.logged("WARNING")) == 1
    assert folded(anew) == stored(service, anew)
    service.delete(LARGE, first.records(LARGE)[1]["accountid"])
    if forbidden:
        service.configure(forbidden_tracking=[])
    else:
        # Tokens given before have expired then.
        service.track_changes(LARGE, on=True)
    back = tap.sync(catalog=catalog, state=second.state)
    runs = [first, second, back] if forbidden else [back]
    assert folded(*runs) == stored(service, second)
    assert "delta_token" in back.state["bookmarks"][LARGE]


def test_table_without_change_tracking_is_named_in_a_warning(
    service: Sandbox, tap_for: Callable[..., Tap]
) -> None:
    tap = tap_for(service, tables=["bulkdeletefailure"])
    catalog = choose(tap.discover(), "bulkdeletefailure", replication_method="LOG_BASED")
    run = tap.sync(catalog=catalog)
    (warning,) = run.logged("WARNING")
    assert "FULL_TABLE" in warning
    assert run.counts == {"bulkdeletefailure": len(service.rows("bulkdeletefailure"))}


def test_missing_delta_link_leaves_the_old_token(
    service: Sandbox, tap: Tap, discovered: Message
) -> None:
    catalog = select(discovered, {LARGE: ["name"]})
    first = tap.sync(catalog=catalog)
    service.update(LARGE, first.records(LARGE)[0]["accountid"], {"name": "Changed"})
    service.configure(delta_links=False)
    second = tap.sync(catalog=catalog, state=first.state)
    assert "no delta link" in second.logged("WARNING")[0]
    assert second.state["bookmarks"] == first.state["bookmarks"]
    assert folded(first, second) == stored(service, second)
    anew = tap.sync(catalog=catalog)
    assert folded(anew) == stored(service, anew)
    assert "no delta link" in anew.logged("WARNING")[0]


def test_method_that_is_changed_continues_where_the_other_ended(
    service: Sandbox, tap: Tap, discovered: Message
) -> None:
    log_based = select(discovered, {LARGE: ["name"]})
    # With versions, rows that have none could not be kept: see above.
    tap = tap.but(emit_activate_version_messages=False)
    incremental = json.loads(json.dumps(log_based))
    own_metadata(entry(incremental, LARGE))["replication-method"] = "INCREMENTAL"
    first = tap.sync(catalog=incremental)
    service.update(LARGE, first.records(LARGE)[0]["accountid"], {"name": "Changed"})
    second = tap.sync(catalog=log_based, state=first.state)
    assert len(second.records(LARGE)) < len(first.records(LARGE)) / 2
    assert folded(first, second) == stored(service, second)
    service.update(LARGE, first.records(LARGE)[1]["accountid"], {"name": "Changed"})
    third = tap.sync(catalog=incremental, state=second.state)
    assert len(third.records(LARGE)) < len(first.records(LARGE)) / 2
    assert folded(first, second, third) == stored(service, third)
    assert "delta_token" not in third.state["bookmarks"][LARGE]


def test_start_date_limits_the_first_load(service: Sandbox, tap: Tap, discovered: Message) -> None:
    date = "2024-06-01T00:00:00Z"
    run = tap.but(start_date=date).sync(catalog=select(discovered, {LARGE: ["name"]}))
    expected = {row["accountid"] for row in service.rows(LARGE) if row["modifiedon"] >= date}
    assert set(folded(run)) == expected
    assert 0 < len(expected) < len(service.rows(LARGE))


@pytest.mark.parametrize(
    "mapping",
    [
        {"loud": "name.upper()", "__filter__": "revenue > 0"},
        {"loud": "name.upper() if name else 'none'", "__alias__": "account"},
        {"name": None},
    ],
)
def test_stream_maps_pass_deletes(
    service: Sandbox, tap_for: Callable[..., Tap], mapping: Message
) -> None:
    tap = tap_for(service, tables=[LARGE], replication_method="LOG_BASED")
    tap = tap.but(stream_maps={LARGE: mapping})
    service.insert(LARGE, [{"name": "There", "revenue": 5}])
    for row in service.rows(LARGE):
        if not row["name"] or not row["revenue"]:
            service.delete(LARGE, row["accountid"])
    catalog = select(tap.discover(), {LARGE: ["name", "revenue"]})
    first = tap.sync(catalog=catalog)
    key = first.records(LARGE)[0]["accountid"]
    service.delete(LARGE, key)
    second = tap.sync(catalog=catalog, state=first.state)
    (row,) = second.records(LARGE)
    assert set(row) == {"accountid", DELETED_AT}
    assert row["accountid"] == key
