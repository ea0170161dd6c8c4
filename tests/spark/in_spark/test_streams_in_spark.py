"""Streams in Apache Spark, with MERGE into Delta tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox import client
from tests.spark.in_spark import session
from tests.spark.in_spark.exact import differences, saved

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.spark.in_spark.session import Spark

pytestmark = pytest.mark.skipif(
    session.IS_BEFORE_DATA_SOURCES, reason="Spark 3.5 has no data sources in Python"
)
COLUMNS = "accountid,name,revenue,modifiedon"
ADDED = ["_sdc_deleted_at", "_sdc_sequence"]


@pytest.fixture
def changing(options: dict[str, str]) -> Iterator[Sandbox]:
    """A sandbox of its own for one test."""
    assert options
    with client.running(rows=2_000) as running:
        yield running


def stream(sandbox: Sandbox, **options: str) -> dict[str, str]:
    """Options of a stream."""
    names = ("service_url", "token_uri", "client_id", "client_secret")
    given = {name: sandbox.settings[name] for name in names}
    own = {"path": "account", "columns": COLUMNS, "partitions": "3", "fetch_size": "50"}
    return {**given, **own, **options}


def merged(spark: Spark, target: str, sandbox: Sandbox) -> list[str]:
    """The differences between a Delta table and the rows of the service."""
    rows = saved(spark("delta_rows", target=target))
    added = [name for name in ADDED if name in rows.schema.names]
    return differences(rows.drop_columns(added), sandbox.rows("account"), "accountid")


def test_tracked_stream_merges_changes_and_deletes_from_its_checkpoint(
    spark: Spark, changing: Sandbox, tmp_path: Path
) -> None:
    if spark.version < (4, 2):
        pytest.skip("a stream gets the start of its batch from Spark 4.2 on")
    arguments: dict[str, Any] = {
        "options": stream(changing, changes="tracked"),
        "target": str(tmp_path / "accounts"),
        "key": "accountid",
    }
    rows = changing.rows("account")
    assert spark("streamed", **arguments) == [len(rows)]
    assert merged(spark, arguments["target"], changing) == []
    changed, deleted, *_ = (row["accountid"] for row in rows)
    changing.update("account", changed, {"name": "Changed", "revenue": 12.3456})
    changing.delete("account", deleted)
    changing.insert("account", [{"name": "New"}])
    # The query has ended, and starts from its checkpoint.
    assert spark("streamed", **arguments) == [3]
    assert merged(spark, arguments["target"], changing) == []
    assert spark("streamed", **arguments) == []


def test_stream_by_time_merges_what_has_changed_and_loses_nothing(
    spark: Spark, changing: Sandbox, tmp_path: Path
) -> None:
    arguments: dict[str, Any] = {
        "options": stream(changing, changes="modifiedon", lookback_seconds="0"),
        "target": str(tmp_path / "accounts"),
        "key": "accountid",
    }
    rows = changing.rows("account")
    changing.configure(clock="2030-01-31T08:00:00Z")
    # Rows that change while the first batch is read leave its span of time.
    late = changing.begin(
        "account", update={row["accountid"]: {"name": "Changed"} for row in rows[::7]}, late=False
    )
    changing.fault("/accounts", commit=late.number, skip=20)
    sizes = spark("streamed", **arguments)
    assert changing.hits() == [1]
    changing.configure(clock="2030-01-31T09:00:00Z")
    sizes += spark("streamed", **arguments)
    assert sum(sizes) >= len(rows)
    assert merged(spark, arguments["target"], changing) == []
