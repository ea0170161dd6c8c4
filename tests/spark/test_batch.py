"""Tables as DataFrames: schema, partitions, rows, filters, and the list of tables."""

from __future__ import annotations

import re
import threading
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyspark import cloudpickle
from pyspark.sql import datasource as spark
from pyspark.sql.types import (
    BooleanType,
    DecimalType,
    FloatType,
    LongType,
    StringType,
    StructType,
    TimestampType,
)

from tap_dynamics365.errors import MetadataError, ServiceError, SettingsError
from tap_dynamics365.spark import Dynamics365DataSource
from tap_dynamics365.spark.source import REQUESTS_OF_A_USER
from tests.spark.reading import Plan, app

if TYPE_CHECKING:
    from sandbox.client import Sandbox

COLUMNS = "accountid,name,revenue,numberofemployees,statecode,createdon"


@pytest.fixture(scope="module")
def whole(sandbox: Sandbox) -> Plan:
    """The plan for all columns of a table."""
    return Plan(app(sandbox.settings, path="account", partitions="3", fetch_size="50"))


def test_table_of_a_catalog_says_what_to_use_instead() -> None:
    """Spark does not hand on the options of CREATE TABLE."""
    schema = StructType().add("accountid", StringType())
    with pytest.raises(SettingsError, match="use CREATE TEMPORARY VIEW instead of CREATE TABLE"):
        Dynamics365DataSource({}).reader(schema)


def test_schema_has_exact_types_and_the_descriptions_of_columns(whole: Plan) -> None:
    fields = {field.name: field for field in whole.schema}
    assert fields["accountid"].dataType == StringType()
    assert not fields["accountid"].nullable
    assert fields["revenue"].dataType == DecimalType(38, 10)
    assert fields["createdon"].dataType == TimestampType()
    assert fields["versionnumber"].dataType == LongType()
    assert [name for name, field in fields.items() if not field.nullable] == ["accountid"]
    assert fields["name"].metadata == {
        "comment": "Shows the account Name of the record. Maximum length: 160."
    }


def test_rows_of_all_partitions_are_those_of_the_table(whole: Plan, sandbox: Sandbox) -> None:
    assert len(whole.partitions) > 1
    rows = whole.rows()
    assert [*rows.schema.names] == whole.schema.fieldNames()
    found = {row["accountid"]: row for row in rows.to_pylist()}
    wanted = {row["accountid"]: row for row in sandbox.rows("account")}
    assert rows.num_rows == len(wanted)
    assert found.keys() == wanted.keys()
    for key, row in wanted.items():
        assert found[key]["name"] == row.get("name")
        revenue = row.get("revenue")
        assert found[key]["revenue"] == (None if revenue is None else Decimal(str(revenue)))
        assert found[key]["createdon"] == datetime.fromisoformat(row["createdon"])


def test_batches_have_exactly_the_schema_that_spark_expects(whole: Plan) -> None:
    """Spark 4.3 compares it, and versions before fail in Java if it differs."""
    to_arrow = pytest.importorskip("pyspark.sql.pandas.types").to_arrow_schema
    assert whole.rows().schema.equals(to_arrow(whole.schema, timezone="UTC"))


def test_own_schema_chooses_columns_their_order_and_their_types(sandbox: Sandbox) -> None:
    own = StructType().add("numberofemployees", LongType()).add("accountid", StringType())
    sandbox.clear_requests()
    rows = Plan(app(sandbox.settings, table="account"), own).rows()
    assert rows.schema == pa.schema([("numberofemployees", pa.int64()), ("accountid", pa.string())])
    wanted = {(row.get("numberofemployees"), row["accountid"]) for row in sandbox.rows("account")}
    assert {(row["numberofemployees"], row["accountid"]) for row in rows.to_pylist()} == wanted
    asked = [r["query"]["$select"] for r in sandbox.requests() if "$select" in r["query"]]
    assert asked
    assert not [columns for columns in asked if "revenue" in columns]


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (StructType().add("name", LongType()), "'name' can't be read as long: Failed to parse"),
        (StructType().add("createdon", BooleanType()), "can't be read as boolean"),
        (StructType().add("revenue", BooleanType()), "'revenue' can't be read as boolean"),
        (StructType().add("revenue", DecimalType(38, 10), nullable=False), "allow null"),
    ],
    ids=["text", "moment", "decimal", "null"],
)
def test_own_schema_that_values_do_not_fit_into_is_an_error_that_names_the_column(
    sandbox: Sandbox, own: StructType, words: str
) -> None:
    plan = Plan(app(sandbox.settings, path="account"), own)
    with pytest.raises(SettingsError, match=words):
        plan.rows()


def test_own_schema_of_the_list_of_tables_chooses_its_columns(sandbox: Sandbox) -> None:
    own = StructType().add("columns", LongType()).add("table", StringType())
    rows = Plan(app(sandbox.settings), own).rows()
    assert rows.schema == pa.schema([("columns", pa.int64()), ("table", pa.string())])
    assert rows.num_rows == len(sandbox.tables())
    with pytest.raises(SettingsError, match="The list of tables has no column 'name'"):
        Plan(app(sandbox.settings), StructType().add("name", StringType()))


def test_table_without_rows_has_no_rows(sandbox: Sandbox) -> None:
    """Spark makes a partition of its own if there is none."""
    plan = Plan(app(sandbox.settings, path="account", columns="name", filter="name eq 'none'"))
    _, reader = cloudpickle.loads(plan.sent)
    assert [*reader.read(spark.InputPartition(None))] == []
    assert sum(batch.num_rows for batch in plan.batches()) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"path": "acount"}, "No table"),
        ({"path": "Account"}, "no table of the name 'Account'. Did you mean account?"),
        ({"path": "account", "columns": "nam"}, "no column 'nam'. Did you mean name?"),
        ({"path": "account", "changes": "tracked"}, "The option changes is for streams"),
    ],
    ids=["table", "case", "column", "stream"],
)
def test_query_that_can_not_be_read_is_refused_in_one_sentence(
    sandbox: Sandbox, options: dict[str, str], words: str
) -> None:
    with pytest.raises((MetadataError, SettingsError), match=words):
        Plan(app(sandbox.settings, **options))


def test_filters_of_a_query_leave_its_rows_and_save_requests(service: Sandbox) -> None:
    filters = [
        spark.IsNotNull(("name",)),
        spark.StringStartsWith(("name",), "A"),
        spark.GreaterThan(("revenue",), Decimal("1000.0000000000")),
        spark.In(("statecode",), (0, 1)),
    ]
    options = app(
        service.settings, path="account", columns=COLUMNS, push_filters="true", fetch_size="20"
    )
    plan = Plan(options, filters=filters)
    # Spark checks all of them once more.
    assert plan.left == filters
    service.clear_requests()
    rows = plan.rows().to_pylist()
    pages = len([request for request in service.requests() if "$filter" in request["query"]])
    wanted = {
        row["accountid"]
        for row in service.rows("account")
        if (row.get("name") or "").startswith("A") and (row.get("revenue") or 0) > 1000
    }
    found = {
        row["accountid"] for row in rows if row["name"].startswith("A") and row["revenue"] > 1000
    }
    assert found == wanted
    assert wanted
    total = len(service.rows("account"))
    assert len(rows) < total / 4
    assert pages < total / 20


def test_filter_of_a_column_that_has_another_type_in_the_own_schema_stays_with_spark(
    service: Sandbox,
) -> None:
    """The value 0.1 of a float is 0.10000000149, which no decimal number of the table equals."""
    service.insert("account", [{"name": "Tenth", "revenue": 0.1}])
    own = StructType().add("name", StringType()).add("revenue", FloatType())
    given = spark.EqualTo(("revenue",), pa.scalar(0.1, pa.float32()).as_py())
    options = app(service.settings, path="account", push_filters="true")
    rows = Plan(options, own, filters=[given]).rows().to_pylist()
    assert [row["name"] for row in rows if row["revenue"] == given.value] == ["Tenth"]


def test_metadata_is_read_once_for_a_dataframe(service: Sandbox) -> None:
    """Spark starts a worker for the schema, one for each action, and some for the tasks."""
    service.clear_requests()
    Plan(app(service.settings, path="account", columns="name")).rows()
    paths = [request["path"] for request in service.requests()]
    assert len([path for path in paths if path.endswith("$metadata")]) == 1


def test_task_that_ends_early_ends_its_threads(sandbox: Sandbox) -> None:
    """A query with a limit closes the generator before its last row."""
    options = app(sandbox.settings, path="account", columns="name", fetch_size="10")
    before = {*threading.enumerate()}
    batches = Plan(options | {"max_parallel_requests": "4"}).batches()
    next(batches)
    assert {*threading.enumerate()} - before
    batches.close()
    for thread in {*threading.enumerate()} - before:
        thread.join(10)
        assert not thread.is_alive()


def test_task_that_failed_reads_all_its_rows_when_spark_tries_it_again(service: Sandbox) -> None:
    columns = {"path": "account", "columns": "accountid", "partitions": "1", "fetch_size": "50"}
    plan = Plan(app(service.settings, **columns))
    service.fault("/accounts", status=403, skip=2)
    with pytest.raises(ServiceError, match="403"):
        plan.rows()
    wanted = sorted(row["accountid"] for row in service.rows("account"))
    assert sorted(plan.rows()["accountid"].to_pylist()) == wanted


def test_filter_option_is_a_condition_of_the_service(sandbox: Sandbox) -> None:
    options = app(sandbox.settings, path="account", columns="statecode", filter="statecode eq 1")
    wanted = [row for row in sandbox.rows("account") if row["statecode"] == 1]
    rows = Plan(options).rows()
    assert rows["statecode"].to_pylist() == [1] * len(wanted)


def test_columns_read_as_text_have_the_digits_of_the_service(sandbox: Sandbox) -> None:
    options = app(
        sandbox.settings,
        path="account",
        columns="revenue,createdon",
        decimals="text",
        text="createdon",
    )
    rows = Plan(options).rows()
    texts = [text for text in rows["revenue"].to_pylist() if text is not None]
    wanted = [row["revenue"] for row in sandbox.rows("account") if row.get("revenue") is not None]
    assert sorted(map(Decimal, texts)) == sorted(Decimal(str(value)) for value in wanted)
    assert all(re.fullmatch(r"\d{4}-.*Z", text) for text in rows["createdon"].to_pylist())


def test_data_source_without_a_table_lists_the_tables(sandbox: Sandbox) -> None:
    rows = {row["table"]: row for row in Plan(app(sandbox.settings)).rows().to_pylist()}
    account = rows["account"]
    assert (account["entity_set"], account["title"]) == ("accounts", "Account")
    assert (account["key"], account["is_tracked"]) == ("accountid", True)
    assert len(rows) == len(sandbox.tables())


def test_tasks_together_send_no_more_requests_than_a_user_may(sandbox: Sandbox) -> None:
    for partitions in (1, 8, 100):
        plan = Plan(
            app(
                sandbox.settings,
                path="account",
                columns="name",
                partitions=str(partitions),
                fetch_size="10",
            )
        )
        each = plan.tasks[0].config["max_parallel_requests"]
        assert each >= 1
        assert each * len(plan.tasks) <= max(REQUESTS_OF_A_USER, len(plan.tasks))
