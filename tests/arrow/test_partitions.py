"""Partitions of a table: all rows once, even parts, what travels to another process."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from sandbox import client
from tap_dynamics365.arrow import ArrowSource
from tests.arrow.expected import table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox
    from sandbox.finance_client import FinanceSandbox

TABLE, KEY = "contact", "contactid"


@pytest.fixture(scope="module")
def large() -> Iterator[Sandbox]:
    """A sandbox with some thousand contacts."""
    with client.running(rows=20_000) as running:
        yield running


def source_of(service: Sandbox | FinanceSandbox, **settings: object) -> ArrowSource:
    return ArrowSource({**service.settings, "fetch_size": 100, **settings})


def test_partitions_have_all_rows_once_in_even_parts(large: Sandbox) -> None:
    ids = {row[KEY] for row in large.rows(TABLE)}
    large.clear_requests()
    # A start date is about changes, and partitions are about all rows.
    with source_of(large, start_date="2026-01-01T00:00:00Z") as source:
        partitions = source.partitions(TABLE, 4, [KEY, "createdon"])
        planning = [each for each in large.requests() if "/contacts" in each["path"]]
        tables = [table_of(source.read_partition(each)) for each in partitions]
    *ranges, without_value = tables
    assert len(ranges) == 4
    assert without_value.num_rows == 0
    found = Counter(key for table in tables for key in table[KEY].to_pylist())
    assert found.keys() == ids
    assert set(found.values()) == {1}
    assert max(table.num_rows for table in ranges) < 2 * len(ids) / 4
    times = [sorted(table["createdon"].to_pylist()) for table in ranges]
    assert all(before[-1] < after[0] for before, after in pairwise(times))
    assert len(planning) < 6 * len(ranges)
    for partition, table in zip(partitions, ranges, strict=False):
        assert partition.rows is not None
        assert 0.5 < partition.rows / table.num_rows < 2


def test_partitions_are_even_where_a_table_begins_with_an_import(
    changing_sandbox: Sandbox,
) -> None:
    """The first page has the import of some seconds, and says nothing of the years after it."""
    begin = datetime(2021, 1, 1, tzinfo=UTC)
    times = [begin + timedelta(seconds=number // 100) for number in range(4_000)]
    times += [begin + timedelta(hours=number) for number in range(4_000)]
    changing_sandbox.add_table("new_imported")
    rows = [{"name": "New", "createdon": f"{time:%Y-%m-%dT%H:%M:%SZ}"} for time in times]
    changing_sandbox.insert("new_imported", rows)
    changing_sandbox.clear_requests()
    with source_of(changing_sandbox) as source:
        partitions = source.partitions("new_imported", 4, ["new_importedid"])
        planning = [each for each in changing_sandbox.requests() if "new_imp" in each["path"]]
        sizes = [table_of(source.read_partition(each)).num_rows for each in partitions]
    assert sum(sizes) == len(rows)
    assert len(sizes) == 5
    assert max(sizes) < 2 * len(rows) / 4
    assert sum(partition.rows or 0 for partition in partitions) < 2 * len(rows)
    assert len(planning) < 50


def test_row_that_changes_while_partitions_are_read_is_in_one_of_them(
    changing_sandbox: Sandbox,
) -> None:
    rows = changing_sandbox.rows(TABLE)
    ids = sorted(row[KEY] for row in rows)
    with source_of(changing_sandbox, fetch_size=20) as source:
        partitions = source.partitions(TABLE, 3, [KEY])
        assert len(partitions) == 4
        found: list[str] = []
        # From the last to the first: a change moves a row to the end.
        for partition in reversed(partitions):
            found += table_of(source.read_partition(partition))[KEY].to_pylist()
            for row in rows[::10]:
                changing_sandbox.update(TABLE, row[KEY], {"firstname": "Changed"})
    assert sorted(found) == ids


def test_partition_is_read_in_another_process_without_metadata_requests(large: Sandbox) -> None:
    with source_of(large) as source:
        partitions = source.partitions(TABLE, 4, [KEY], filter="statecode eq 0")
        here, *others = [table_of(source.read_partition(each)) for each in partitions]
    first = partitions[0]
    active = sum(row["statecode"] == 0 for row in large.rows(TABLE))
    assert sum(table.num_rows for table in (here, *others)) == active < len(large.rows(TABLE))
    pickled = pickle.dumps(first)
    secrets = [large.settings["client_secret"], large.settings["refresh_token"]]
    assert not any(secret.encode() in pickled for secret in secrets)
    large.clear_requests()
    program = (
        "import pickle, sys\n"
        "from tap_dynamics365.arrow import ArrowSource\n"
        f"partition = pickle.loads({pickled!r})\n"
        f"with ArrowSource({large.settings!r}) as source:\n"
        "    print(sum(batch.num_rows for batch in source.read_partition(partition)))\n"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == here.num_rows
    assert not [each for each in large.requests() if "metadata" in each["path"].lower()]


def test_table_that_is_small_or_without_a_time_of_creation_is_one_partition(
    service: Sandbox, finance: FinanceSandbox
) -> None:
    with source_of(service) as source:
        (whole,) = source.partitions("team", 8)
        assert table_of(source.read_partition(whole)).num_rows == len(service.rows("team"))
        assert len(source.partitions(TABLE, 1)) == 1
        # No more partitions than pages.
        assert len(source.partitions(TABLE, 100)) <= 1 + len(service.rows(TABLE)) // 100 + 1
    with source_of(finance) as source:
        (whole,) = source.partitions("CustomersV3", 8)
        assert table_of(source.read_partition(whole)).num_rows > 0
