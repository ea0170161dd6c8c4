"""Finance & Operations and Business Central as DataFrames and streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pyspark.sql import datasource as spark

from sandbox.finance_operations.companies import REACHED
from tap_dynamics365.errors import ServiceError, SettingsError
from tap_dynamics365.spark import Dynamics365DataSource
from tests.spark.reading import Plan, app
from tests.spark.test_streams import Query

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox
    from sandbox.finance_client import FinanceSandbox


def test_entity_set_of_finance_and_operations_has_the_rows_of_all_companies(
    finance: FinanceSandbox,
) -> None:
    options = app(finance.settings, path="CustomersV3", cross_company="true", fetch_size="50")
    rows = Plan(options).rows()
    found = {(row["dataAreaId"], row["CustomerAccount"]) for row in rows.to_pylist()}
    held = [row for row in finance.rows("CustomersV3") if row["dataAreaId"] in REACHED]
    wanted = {(row["dataAreaId"], row["CustomerAccount"]) for row in held}
    assert found == wanted
    assert rows.num_rows == len(wanted)


def test_filters_are_those_that_finance_and_operations_understands(finance: FinanceSandbox) -> None:
    options = app(finance.settings, path="CustomersV3", cross_company="true", push_filters="true")
    filters = [
        spark.IsNotNull(("dataAreaId",)),
        spark.EqualTo(("dataAreaId",), "usmf"),
        spark.StringContains(("CustomerAccount",), "1"),
    ]
    finance.clear_requests()
    plan = Plan(options, filters=filters)
    rows = plan.rows().to_pylist()
    wanted = [row for row in finance.rows("CustomersV3") if row["dataAreaId"] == "usmf"]
    assert len(rows) == len(wanted)
    assert wanted


# All but the one that is closed to the user.
READABLE = "CRONUS*, Copy*, O'Neill*, My*"


def readable(central: CentralSandbox, **options: str) -> dict[str, str]:
    """Options for the companies that the user may read."""
    return app(central.settings, path="customers", companies=READABLE, **options)


def test_table_of_business_central_has_the_rows_of_all_companies(central: CentralSandbox) -> None:
    plan = Plan(readable(central, fetch_size="20"))
    rows = plan.rows()
    companies = set(rows["company_id"].to_pylist())
    pairs = [(row["company_id"], row["id"]) for row in rows.to_pylist()]
    assert {(row["$company"], row["id"]) for row in central.rows("customers")} == {*pairs}
    assert len(pairs) == len(set(pairs))
    # Tasks read companies side by side.
    read = [task.config["companies"] for task in plan.tasks]
    assert {company for group in read for company in group} >= companies
    assert len(read) > 1
    # The service works on few requests of a user at a time.
    assert {task.config["max_parallel_requests"] for task in plan.tasks} <= {1, 2}


def test_filter_of_a_column_that_the_service_does_not_have_stays_with_spark(
    central: CentralSandbox,
) -> None:
    options = readable(central, push_filters="true")
    filters = [spark.EqualTo(("company_name",), "CRONUS Sandbox Ltd."), spark.IsNotNull(("id",))]
    rows = Plan(options, filters=filters).rows()
    assert {row["id"] for row in central.rows("customers")} == {*rows["id"].to_pylist()}


def test_partitions_of_business_central_share_companies(central: CentralSandbox) -> None:
    (task,) = Plan(readable(central, partitions="1")).tasks
    assert len(task.config["companies"]) > 1


def test_company_that_is_closed_to_the_user_is_named(central: CentralSandbox) -> None:
    """Without an error, its rows would be missing: nobody reads the log of an executor."""
    for partitions in ("8", "1"):
        plan = Plan(app(central.settings, path="customers", partitions=partitions))
        with pytest.raises(ServiceError, match="Name the companies that you may read in the opt"):
            plan.rows()


def test_table_whose_rows_can_not_all_be_read_is_an_error(central: CentralSandbox) -> None:
    line = central.rows("salesInvoiceLines")[0]
    central.break_row("salesInvoiceLines", [line["$company"], line["id"]])
    plan = Plan(readable(central) | {"path": "salesInvoiceLines"})
    with pytest.raises(ServiceError, match="'salesInvoiceLines' was read in part: some rows"):
        plan.rows()


def test_stream_of_business_central_has_what_changed_in_each_company(
    changing_central: CentralSandbox,
) -> None:
    changing_central.configure(clock="2030-01-31T08:00:00Z")
    options = readable(changing_central, changes="modifiedon", lookback_seconds="0")
    query = Query(options)
    rows = changing_central.rows("customers")
    assert len(query.batch()) == len(rows)
    for row in (rows[0], rows[-1]):
        changing_central.update("customers", [row["$company"], row["id"]], {"displayName": "New"})
    changing_central.configure(clock="2030-01-31T09:00:00Z")
    changed = {(row["company_id"], row["id"]): row["displayName"] for row in query.batch()}
    assert changed == {(row["$company"], row["id"]): "New" for row in (rows[0], rows[-1])}
    assert query.batch() == []


def test_stream_names_what_to_do_about_a_company_that_is_closed(central: CentralSandbox) -> None:
    options = app(central.settings, path="customers", changes="modifiedon")
    with pytest.raises(ServiceError, match="Name the companies that you may read in the option"):
        Query(options).batch()


def test_stream_of_rows_that_are_read_through_their_parents_has_what_changed(
    changing_central: CentralSandbox,
) -> None:
    """The service refuses to say which row changed last."""
    changing_central.configure(clock="2030-01-31T08:00:00Z")
    asked = {"path": "journalLines", "columns": "id,description,lastModifiedDateTime"}
    query = Query(readable(changing_central, changes="modifiedon", lookback_seconds="0") | asked)
    rows = changing_central.rows("journalLines")
    assert {row["id"] for row in query.batch()} == {row["id"] for row in rows}
    changing_central.update(
        "journalLines", [rows[0]["$company"], rows[0]["id"]], {"description": "New"}
    )
    changing_central.configure(clock="2030-01-31T09:00:00Z")
    assert [(row["id"], row["description"]) for row in query.batch()] == [(rows[0]["id"], "New")]


def test_stream_of_business_central_has_all_rows_of_a_new_company(
    changing_central: CentralSandbox,
) -> None:
    """The rows of a copy keep the times of their change, which are before the last batch."""
    changing_central.configure(clock="2030-01-31T08:00:00Z")
    options = readable(changing_central, changes="modifiedon", lookback_seconds="0")
    query = Query(options)
    query.batch()
    source = changing_central.companies()[0]["id"]
    copied = [changing_central.add_company(name, copy_of=source) for name in ("My 1", "My 2")]
    changing_central.configure(clock="2030-01-31T09:00:00Z")
    # One is removed before its rows are read, and the query starts from its checkpoint.
    end = query.reader.latestOffset(query.committed, None)
    changing_central.remove_company("My 2")
    query = Query(options, query.committed)
    rows = [row for task in query.tasks(end) for row in task]
    held = [row["id"] for row in changing_central.rows("customers") if row["$company"] == source]
    wanted = {(copied[0]["id"], key) for key in held}
    assert {(row["company_id"], row["id"]) for row in rows} == wanted
    assert len(rows) == len(wanted)
    query.committed = end
    assert query.batch() == []


def test_stream_of_finance_and_operations_has_what_changed(
    changing_finance: FinanceSandbox,
) -> None:
    changing_finance.configure(clock="2030-01-31T08:00:00Z")
    asked = {"path": "SalesOrderHeadersV2", "changes": "modifiedon", "lookback_seconds": "0"}
    query = Query(app(changing_finance.settings, cross_company="true", **asked))
    held = changing_finance.rows("SalesOrderHeadersV2")
    assert len(query.batch()) == len([row for row in held if row["dataAreaId"] in REACHED])
    assert query.batch() == []


def test_stream_by_time_of_a_table_without_such_a_time_is_refused(
    finance: FinanceSandbox, central: CentralSandbox
) -> None:
    asked = {"changes": "modifiedon"}
    for options in (
        app(finance.settings, path="CustomersV3", cross_company="true", **asked),
        # The service has no such time of these rows, and the tap adds that of their parent.
        readable(central, **asked) | {"path": "salesInvoiceLines"},
    ):
        with pytest.raises(SettingsError, match="has no column with the time of the last change"):
            Query(options).batch()


def test_stream_of_changes_is_refused_where_changes_are_not_tracked(
    finance: FinanceSandbox,
) -> None:
    options = app(finance.settings, path="CustomersV3", changes="tracked", cross_company="true")
    source = Dynamics365DataSource(options)
    reader = source.streamReader(source.schema())
    with pytest.raises(SettingsError, match="does not track changes"):
        reader.latestOffset(reader.initialOffset(), None)
