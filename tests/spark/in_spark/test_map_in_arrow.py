"""Tables as DataFrames without a data source, as on Spark 3.5."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.spark.in_spark import session
from tests.spark.in_spark.exact import differences, saved

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.spark.in_spark.session import Spark


pytestmark = pytest.mark.skipif(
    not session.HAS_PANDAS, reason="mapInArrow needs pandas, which Spark 4.1 and later do without"
)


def test_function_reads_every_value_of_a_table(
    spark: Spark, options: dict[str, str], big_sandbox: Sandbox
) -> None:
    rows = saved(spark("mapped", table="account", options=options | {"partitions": "3"}))
    assert rows.num_columns > 60
    assert differences(rows, big_sandbox.rows("account"), "accountid") == []


def test_function_reads_the_columns_and_rows_that_are_asked_for(
    spark: Spark, options: dict[str, str], big_sandbox: Sandbox
) -> None:
    asked = options | {"columns": "statecode,accountid", "filter": "statecode eq 1"}
    rows = saved(spark("mapped", table="account", options=asked))
    assert rows.schema.names == ["statecode", "accountid"]
    wanted = [row for row in big_sandbox.rows("account") if row["statecode"] == 1]
    assert differences(rows, wanted, "accountid") == []


def test_event_log_of_the_function_shows_no_secret(
    options: dict[str, str], big_sandbox: Sandbox, tmp_path: Path
) -> None:
    with session.session(tmp_path, "local[2]") as own:
        own("mapped", table="account", options=options | {"columns": "accountid"})
        own("stopped")
    log = b"".join(each.read_bytes() for each in (tmp_path / "events").rglob("*") if each.is_file())
    assert b"SparkListenerSQLExecutionStart" in log
    for secret in [options["client_secret"], *big_sandbox.issued()]:
        assert secret.encode() not in log
