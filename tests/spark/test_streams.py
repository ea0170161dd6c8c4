"""Streams: rows by the time of their last change, and tracked changes with deletes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pyspark import cloudpickle
from pyspark.sql.types import StructType

from tap_dynamics365.errors import ServiceError, SettingsError
from tap_dynamics365.spark import Dynamics365DataSource
from tests.spark.reading import app, copied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox

COLUMNS = {
    "path": "account",
    "columns": "accountid,name,modifiedon",
    "partitions": "3",
    "fetch_size": "50",
}
Row = dict[str, Any]
Offset = dict[str, Any]


class Query:
    """A stream, as Spark runs it: a reader on the driver, and pickles for executors.

    Args:
        options: The options of the data source.
        committed: The last offset of a checkpoint; None for a new one.
    """

    def __init__(self, options: dict[str, str], committed: Offset | None = None) -> None:
        source = Dynamics365DataSource(options)
        self.schema = source.schema()
        source = copied(source)
        self.reader = source.streamReader(self.schema)
        self.sent = cloudpickle.dumps((source, self.reader))
        self.committed = committed or self.reader.initialOffset()

    def tasks(self, end: Offset) -> Iterator[list[Row]]:
        """Read the partitions of a batch, one after the other."""
        for partition in self.reader.partitions(self.committed, end):
            _, executor = cloudpickle.loads(self.sent)
            batches = executor.read(copied(partition))
            yield [row for batch in batches for row in batch.to_pylist()]

    def batch(self) -> list[Row]:
        """Read the next batch, and commit it. It is empty if nothing has changed."""
        end = copied(self.reader.latestOffset(self.committed, None))
        rows = [row for task in self.tasks(end) for row in task]
        self.committed = end
        return rows


def modified(sandbox: Sandbox, **options: str) -> dict[str, str]:
    """Options of a stream by the time of the last change, without waiting for late commits."""
    wait = {"lookback_seconds": "0", **options}
    return app(sandbox.settings, changes="modifiedon", **COLUMNS, **wait)


def tracked(sandbox: Sandbox) -> dict[str, str]:
    """Options of a stream of tracked changes."""
    return app(sandbox.settings, changes="tracked", **COLUMNS)


def at(sandbox: Sandbox, time: str) -> None:
    """Stop the clock of the service at a time of a day after all its rows."""
    sandbox.configure(clock=f"2030-01-31T{time}Z")


def names(rows: list[Row]) -> dict[str, str]:
    """The name of each row."""
    return {row["accountid"]: row["name"] for row in rows}


@pytest.fixture
def stopped(changing_sandbox: Sandbox) -> Sandbox:
    """A sandbox whose clock tests move on."""
    at(changing_sandbox, "08:00:00")
    return changing_sandbox


def test_stream_by_time_has_all_rows_and_then_those_that_changed(stopped: Sandbox) -> None:
    # A row that an import has made without times.
    stopped.insert("account", [{"name": "Old", "modifiedon": None, "createdon": None}])
    query = Query(modified(stopped))
    rows = stopped.rows("account")
    assert names(query.batch()) == names(rows)
    # Nothing has changed: no batch.
    at(stopped, "09:00:00")
    before = query.committed
    assert query.batch() == []
    assert query.committed == before
    stopped.update("account", rows[0]["accountid"], {"name": "Changed"})
    (new,) = stopped.insert("account", [{"name": "New"}])
    at(stopped, "10:00:00")
    assert names(query.batch()) == {rows[0]["accountid"]: "Changed", new["accountid"]: "New"}
    # From a checkpoint, with a new reader.
    assert Query(modified(stopped), query.committed).batch() == []


def test_stream_by_time_loses_no_row_that_changes_while_a_batch_is_read(stopped: Sandbox) -> None:
    """Ranges of the time of change would: such a row enters a range that was read already."""
    query = Query(modified(stopped))
    end = query.reader.latestOffset(query.committed, None)
    at(stopped, "09:00:00")
    seen: dict[str, str] = {}
    tasks = query.tasks(end)
    seen |= names(next(tasks))
    changed = [row["accountid"] for row in stopped.rows("account") if row["accountid"] not in seen]
    for key in changed:
        stopped.update("account", key, {"name": "Changed"})
    for task in tasks:
        seen |= names(task)
    # They left the span of this batch, and come in the next one.
    assert not seen.keys() & {*changed}
    query.committed = end
    at(stopped, "10:00:00")
    assert changed
    assert names(query.batch()) == dict.fromkeys(changed, "Changed")


def test_stream_by_time_has_a_row_once_that_changed_in_the_second_of_its_end(
    stopped: Sandbox,
) -> None:
    """Others may change in the rest of this second, after the batch was read."""
    query = Query(modified(stopped))
    (key,) = [row["accountid"] for row in stopped.insert("account", [{"name": "New"}])]
    assert key not in names(query.batch())
    at(stopped, "09:00:00")
    assert names(query.batch()) == {key: "New"}
    assert query.batch() == []


def test_stream_by_time_repeats_a_batch_that_failed(stopped: Sandbox) -> None:
    query = Query(modified(stopped))
    end = query.reader.latestOffset(query.committed, None)
    tries = [sorted(row["accountid"] for task in query.tasks(end) for row in task) for _ in (1, 2)]
    assert tries[0] == tries[1]
    assert tries[0]


def test_stream_by_time_waits_for_rows_that_are_committed_late(stopped: Sandbox) -> None:
    query = Query(modified(stopped, lookback_seconds="300"))
    query.batch()
    at(stopped, "09:00:00")
    late = stopped.begin("account", insert=[{"name": "Late"}])
    at(stopped, "09:04:00")
    stopped.insert("account", [{"name": "On time"}])
    assert query.batch() == []
    late.commit()
    at(stopped, "09:10:00")
    assert sorted(names(query.batch()).values()) == ["Late", "On time"]


def test_stream_by_time_works_without_the_start_of_a_batch(stopped: Sandbox) -> None:
    """Spark gives none before 4.2."""
    reader = Query(modified(stopped)).reader
    first = reader.latestOffset()
    assert first["until"] == "2030-01-31T08:00:00Z"
    # Nothing has changed: no batch.
    at(stopped, "09:00:00")
    assert reader.latestOffset() == first
    stopped.insert("account", [{"name": "New"}])
    at(stopped, "10:00:00")
    assert reader.latestOffset()["until"] == "2030-01-31T10:00:00Z"


@pytest.mark.parametrize(
    "other",
    [
        {"path": "contact", "columns": "contactid"},
        {"changes": "modifiedon"},
        {"service_url": "https://invented.crm.dynamics.com"},
    ],
    ids=["table", "changes", "service"],
)
def test_stream_is_refused_from_the_checkpoint_of_another_query(
    sandbox: Sandbox, other: dict[str, str]
) -> None:
    """Its rows before the other query's last batch would never come."""
    committed = Query(tracked(sandbox)).reader.latestOffset(Query(tracked(sandbox)).committed, None)
    options = tracked(sandbox) | other
    source = Dynamics365DataSource(options)
    reader = source.streamReader(Query(tracked(sandbox)).schema)
    words = "another query, which reads account of .* with changes=tracked. Give each query"
    with pytest.raises(SettingsError, match=words):
        reader.latestOffset(committed, None)
    # Spark gives no start before 4.2.
    with pytest.raises(SettingsError, match=words):
        reader.partitions(committed, {**reader.initialOffset(), "until": "2030-01-31T08:00:00Z"})


def test_stream_of_changes_has_all_rows_and_then_changes_with_deletes(stopped: Sandbox) -> None:
    query = Query(tracked(stopped))
    rows = stopped.rows("account")
    first = query.batch()
    assert names(first) == names(rows)
    assert {(row["_sdc_deleted_at"], row["_sdc_sequence"]) for row in first} == {(None, 1)}
    before = query.committed
    assert query.batch() == []
    assert query.committed == before
    changed, deleted = (row["accountid"] for row in rows[:2])
    stopped.update("account", changed, {"name": "Changed"})
    stopped.delete("account", deleted)
    (new,) = stopped.insert("account", [{"name": "New"}])
    # From a checkpoint, with a new reader.
    query = Query(tracked(stopped), query.committed)
    stopped.clear_requests()
    second = query.batch()
    # Neither the driver nor the task reads metadata for a batch.
    assert not [each for each in stopped.requests() if each["path"].endswith("$metadata")]
    assert {row["_sdc_sequence"] for row in second} == {2}
    gone = [row for row in second if row["_sdc_deleted_at"] is not None]
    there = [row for row in second if row["_sdc_deleted_at"] is None]
    assert [(row["accountid"], row["name"], row["modifiedon"]) for row in gone] == [
        (deleted, None, None)
    ]
    assert names(there) == {changed: "Changed", new["accountid"]: "New"}


def test_stream_of_changes_has_the_last_state_of_a_row_that_is_deleted_and_made_again(
    stopped: Sandbox,
) -> None:
    """One state for each row: a MERGE refuses two."""
    query = Query(tracked(stopped))
    query.batch()
    again, gone = (row["accountid"] for row in stopped.rows("account")[:2])
    stopped.delete("account", again)
    stopped.insert("account", [{"accountid": again, "name": "Again"}])
    stopped.update("account", gone, {"name": "Changed"})
    stopped.delete("account", gone)
    found = [(row["accountid"], row["name"]) for row in query.batch()]
    assert sorted(found) == sorted([(again, "Again"), (gone, None)])


def test_stream_of_changes_has_a_row_once_that_changes_while_changes_are_read(
    stopped: Sandbox,
) -> None:
    """A MERGE refuses two states of a row, so the later one comes in the next batch."""
    query = Query(tracked(stopped))
    query.batch()
    keys = [row["accountid"] for row in stopped.rows("account")[:120]]
    for key in keys:
        stopped.update("account", key, {"name": "One"})
    end = query.reader.latestOffset(query.committed, None)
    later = stopped.begin("account", update={keys[0]: {"name": "Two"}}, delete=[keys[1]])
    stopped.fault("deltatoken", commit=later.number, skip=1)
    rows = [row for task in query.tasks(end) for row in task]
    assert stopped.hits() == [1]
    assert sorted(row["accountid"] for row in rows) == sorted(keys)
    assert names(rows) == dict.fromkeys(keys, "One")
    query.committed = end
    states = [(row["accountid"], row["name"]) for row in query.batch()]
    assert sorted(states) == sorted([(keys[0], "Two"), (keys[1], None)])


def test_stream_of_changes_has_those_made_while_the_table_is_read(stopped: Sandbox) -> None:
    query = Query(tracked(stopped))
    end = query.reader.latestOffset(query.committed, None)
    tasks = query.tasks(end)
    seen = names(next(tasks))
    for key in seen:
        stopped.update("account", key, {"name": "Changed"})
    for task in tasks:
        seen |= names(task)
    query.committed = end
    seen |= names(query.batch())
    assert seen == names(stopped.rows("account"))


def test_stream_of_changes_whose_token_expired_says_what_to_do(stopped: Sandbox) -> None:
    query = Query(tracked(stopped))
    query.batch()
    stopped.expire_delta_tokens()
    with pytest.raises(ServiceError, match="Start the query with a new checkpoint"):
        query.batch()


def test_stream_of_changes_keeps_its_token_young(stopped: Sandbox) -> None:
    """A service forgets changes after seven days, also where nothing has changed."""
    query = Query(tracked(stopped))
    query.batch()
    first = query.committed
    query.committed = {**first, "at": first["at"] - 2 * 86_400}
    assert query.batch() == []
    assert query.committed["sequence"] == 2
    assert query.committed["at"] >= first["at"]


def test_stream_of_changes_of_a_table_that_is_not_tracked_is_refused(stopped: Sandbox) -> None:
    stopped.track_changes("account", on=False)
    with pytest.raises(ServiceError, match="tracking"):
        Query(tracked(stopped)).batch()


def test_stream_of_changes_with_a_filter_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(SettingsError, match="change tracking does not support filters"):
        Query(tracked(sandbox) | {"filter": "statecode eq 0"}).batch()


def test_stream_of_changes_without_the_column_of_deletes_is_refused(sandbox: Sandbox) -> None:
    source = Dynamics365DataSource(tracked(sandbox))
    with pytest.raises(SettingsError, match="Your schema needs the column _sdc_deleted_at"):
        source.streamReader(StructType().add("accountid", "string")).initialOffset()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"path": "account"}, "A stream needs the option changes"),
        ({"changes": "tracked"}, "A stream needs a table"),
    ],
    ids=["no-changes", "no-table"],
)
def test_stream_that_is_not_told_what_to_read_is_refused(
    sandbox: Sandbox, options: dict[str, str], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        Query(app(sandbox.settings, **options))


def test_stream_is_refused_when_spark_asks_for_an_offset(sandbox: Sandbox) -> None:
    """Spark hides an error of `streamReader` behind one of its own."""
    source = Dynamics365DataSource(app(sandbox.settings, path="account", changes="all"))
    reader = copied(source.streamReader(StructType().add("accountid", "string")))
    for ask in (reader.initialOffset, reader.latestOffset):
        with pytest.raises(SettingsError, match="changes must be modifiedon or tracked"):
            ask()
