"""Tables as DataFrames in Apache Spark."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.spark.in_spark import session
from tests.spark.in_spark.exact import differences, saved

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.spark.in_spark.session import Spark

pytestmark = pytest.mark.skipif(
    session.IS_BEFORE_DATA_SOURCES, reason="Spark 3.5 has no data sources in Python"
)
ACCOUNT = {"path": "account"}


def test_schema_is_that_of_the_table(spark: Spark, options: dict[str, str]) -> None:
    """Nobody registers the data source: Spark finds it."""
    fields = {each["name"]: each for each in spark("schema", options=options | ACCOUNT)["fields"]}
    assert fields["accountid"] | {"metadata": {}} == {
        "name": "accountid",
        "type": "string",
        "nullable": False,
        "metadata": {},
    }
    assert fields["revenue"]["type"] == "decimal(38,10)"
    assert fields["modifiedon"]["type"] == "timestamp"
    assert "comment" in fields["name"]["metadata"]


def test_rows_have_every_value_of_the_service(
    spark: Spark, options: dict[str, str], big_sandbox: Sandbox
) -> None:
    rows = saved(spark("rows", options=options | ACCOUNT))
    assert rows.num_columns > 60
    assert differences(rows, big_sandbox.rows("account"), "accountid") == []


def test_task_that_failed_is_tried_again_and_no_row_comes_twice(
    spark: Spark, options: dict[str, str], big_sandbox: Sandbox
) -> None:
    asked = options | ACCOUNT | {"columns": "accountid,numberofemployees", "fetch_size": "500"}
    with big_sandbox.unchanged():
        # Only rows have this column, and not the keys with which the driver plans.
        big_sandbox.fault("accounts.*numberofemployees", status=403, skip=3)
        rows = saved(spark("rows", options=asked | {"partitions": "3"}))
        assert big_sandbox.hits() == [1]
    assert differences(rows, big_sandbox.rows("account"), "accountid") == []


def test_query_leaves_its_filter_to_the_service(
    spark: Spark, options: dict[str, str], big_sandbox: Sandbox
) -> None:
    if spark.version < (4, 1):
        pytest.skip("Spark pushes filters from 4.1 on")
    where = "name like 'A%' and revenue > 1000 and statecode = 0"
    asked = options | ACCOUNT | {"columns": "accountid,name,revenue,statecode"}
    spark("configured", name="spark.sql.python.filterPushdown.enabled", value="true")
    big_sandbox.clear_requests()
    rows = saved(spark("rows", options=asked | {"push_filters": "true"}, where=where))
    conditions = {request["query"].get("$filter", "") for request in big_sandbox.requests()}
    spark("configured", name="spark.sql.python.filterPushdown.enabled", value="false")
    wanted = [
        row
        for row in big_sandbox.rows("account")
        if (row.get("name") or "").startswith("A")
        and Decimal(str(row.get("revenue") or 0)) > 1000
        and row["statecode"] == 0
    ]
    assert differences(rows, wanted, "accountid") == []
    assert any("startswith(name,'A')" in condition for condition in conditions)


def test_query_without_the_setting_of_spark_is_read_without_its_filter(
    spark: Spark, options: dict[str, str], big_sandbox: Sandbox
) -> None:
    """Spark would refuse a reader that takes filters."""
    rows = saved(spark("rows", options=options | ACCOUNT, where="statecode = 1"))
    wanted = [row for row in big_sandbox.rows("account") if row["statecode"] == 1]
    assert differences(rows, wanted, "accountid") == []


def test_own_schema_is_read_in_its_order(
    spark: Spark, options: dict[str, str], big_sandbox: Sandbox
) -> None:
    schema = "numberofemployees bigint, accountid string"
    rows = saved(spark("rows", options=options | ACCOUNT, schema=schema))
    assert rows.schema.names == ["numberofemployees", "accountid"]
    assert differences(rows, big_sandbox.rows("account"), "accountid") == []


def test_view_in_sql_and_the_list_of_tables(
    spark: Spark, options: dict[str, str], big_sandbox: Sandbox
) -> None:
    given = ", ".join(f"{name} '{value}'" for name, value in options.items())
    made = "CREATE TEMPORARY VIEW {} USING dynamics365 OPTIONS ({})"
    made_table = made.format("accounts", f"{given}, table 'account', columns 'accountid'")
    query = "SELECT count(*) FROM accounts"
    assert spark("view", statement=made_table, query=query) == [[len(big_sandbox.rows("account"))]]
    made_list = made.format("tables", given)
    listed = spark("view", statement=made_list, query="SELECT `table` FROM tables")
    assert {name for (name,) in listed} == {each["name"] for each in big_sandbox.tables()}


def test_query_with_a_limit_ends_early(spark: Spark, options: dict[str, str]) -> None:
    assert spark("limited", options=options | ACCOUNT | {"fetch_size": "100"}, rows=5) == 5


def test_plan_and_event_log_show_no_secret(
    options: dict[str, str], big_sandbox: Sandbox, tmp_path: Path
) -> None:
    with session.session(tmp_path, "local[2]") as own:
        asked = options | ACCOUNT | {"columns": "accountid"}
        plans = own("explained", options=asked, where="accountid is not null")
        own("rows", options=asked)
        given = ", ".join(f"{name} '{value}'" for name, value in asked.items() if name != "path")
        made = f"CREATE TEMPORARY VIEW v USING dynamics365 OPTIONS ({given}, table 'account')"
        own("view", statement=made, query="SELECT count(*) FROM v")
        changes = asked | {"changes": "modifiedon"}
        own("streamed", options=changes, target=str(tmp_path / "accounts"), key="accountid")
        own("stopped")
    # With the checkpoint of the stream.
    log = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    assert b"SparkListenerSQLExecutionStart" in log
    assert b'"changes": "modifiedon"' in log
    for secret in [options["client_secret"], *big_sandbox.issued()]:
        assert secret not in plans
        assert secret.encode() not in log


def test_cluster_of_several_processes_reads_every_value(
    options: dict[str, str], big_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Executors are processes of their own: everything that they need has to be pickled."""
    with session.session(tmp_path, "local-cluster[2,1,1024]") as cluster:
        asked = options | ACCOUNT | {"partitions": "4", "fetch_size": "500"}
        rows = saved(cluster("rows", options=asked))
    assert differences(rows, big_sandbox.rows("account"), "accountid") == []
