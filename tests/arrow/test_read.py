"""Tables as record batches: every value of whole tables, columns, filters, schemas, refusals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import parquet

from tap_dynamics365.arrow import ArrowSource, Outcome, TableRequest
from tap_dynamics365.errors import MetadataError, ServiceError, SettingsError
from tap_dynamics365.library import Dynamics365
from tests.arrow.expected import assert_equal, table_of

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.central_client import CentralSandbox
    from sandbox.client import Sandbox
    from sandbox.finance_client import FinanceSandbox

DENIED = {"status": 403, "code": "0x80040220", "count": None}


def source_of(
    service: Sandbox | FinanceSandbox | CentralSandbox, **settings: object
) -> ArrowSource:
    """Open a sandbox with small pages."""
    return ArrowSource({**service.settings, "fetch_size": 100, **settings})


@pytest.mark.parametrize("method", ["INCREMENTAL", "FULL_TABLE", "LOG_BASED"])
def test_all_columns_of_a_dataverse_table_have_every_value(service: Sandbox, method: str) -> None:
    with source_of(service) as source, Dynamics365(service.settings) as library:
        reading = source.read("account", method=method)
        table = table_of(reading)
        if method == "LOG_BASED":
            assert table["_sdc_deleted_at"].null_count == table.num_rows
            table = table.drop_columns("_sdc_deleted_at")
        assert_equal(table, library.rows("account"), reading.key)
        assert table.num_columns > 60
    assert (reading.outcome, reading.rows) == (Outcome.DONE, table.num_rows)
    assert reading.replaces_table == (method != "INCREMENTAL")


def test_all_columns_of_a_finance_and_operations_table_have_every_value(
    finance: FinanceSandbox,
) -> None:
    settings = {"cross_company": True}
    with (
        source_of(finance, **settings) as source,
        Dynamics365({**finance.settings, **settings}) as library,
    ):
        for name, method in (("CustomersV3", "FULL_TABLE"), ("SalesOrderLines", "INCREMENTAL")):
            reading = source.read(name)
            assert_equal(table_of(reading), library.rows(name), reading.key)
            assert reading.method == method
            assert reading.missing is None
            assert reading.replaces_table == (method == "FULL_TABLE")


def test_all_companies_of_a_business_central_table_have_every_value(
    central: CentralSandbox,
) -> None:
    with source_of(central) as source, Dynamics365(central.settings) as library:
        for name in ("customers", "salesInvoices", "salesInvoiceLines"):
            reading = source.read(name)
            assert_equal(table_of(reading), library.rows(name), reading.key)
            # A company is closed to the user.
            assert reading.outcome is Outcome.IN_PART
            assert reading.missing is not None
            assert "The service answered 403" in reading.missing.message
            assert not reading.replaces_table
            assert reading.key[0] == "company_id"


def test_columns_and_filter_choose_what_a_batch_has(service: Sandbox) -> None:
    with source_of(service, filters={"account": "revenue ne null"}) as source:
        reading = source.read("account", ["name", "statecode"], filter="statecode eq 0")
        table = table_of(reading)
    assert table.column_names == ["name", "statecode"]
    found = [row for row in service.rows("account") if row["statecode"] == 0 and row["revenue"]]
    assert sorted(table["name"].to_pylist()) == sorted(row["name"] for row in found)
    asked = [request["query"] for request in service.requests() if "/accounts" in request["path"]]
    assert all("address1_city" not in query for query in asked)


def test_schema_has_key_types_and_descriptions(service: Sandbox) -> None:
    with source_of(service) as source:
        schema = source.schema("account", ["revenue", "accountid", "modifiedon", "statecode"])
        as_text = source.schema("account", ["revenue", "statecode"], decimals="text")
        named = source.schema("account", ["statecode"], text=["statecode"])
    assert schema.names == ["revenue", "accountid", "modifiedon", "statecode"]
    assert schema.types == [
        pa.decimal128(38, 10),
        pa.string(),
        pa.timestamp("us", tz="UTC"),
        pa.int32(),
    ]
    assert [field.nullable for field in schema] == [True, False, True, True]
    assert json.loads(schema.metadata[b"dynamics365.key"]) == ["accountid"]
    assert b"Decimal places" in schema.field("revenue").metadata[b"comment"]
    assert as_text.types == [pa.string(), pa.int32()]
    assert named.types == [pa.string()]


def test_batches_are_a_stream_that_other_programs_take(service: Sandbox, tmp_path: Path) -> None:
    with source_of(service) as source:
        reading = source.read("account", method="LOG_BASED")
        batches = pa.RecordBatchReader.from_batches(reading.schema, reading)
        # The interface between programs, which Polars and DuckDB use.
        table = pa.RecordBatchReader.from_stream(batches).read_all()
    assert table.num_rows == len(service.rows("account"))
    parquet.write_table(table, tmp_path / "accounts.parquet")
    again = parquet.read_table(tmp_path / "accounts.parquet")
    assert again.equals(table)
    assert again.schema.metadata[b"dynamics365.key"] == b'["accountid"]'


def test_several_tables_come_side_by_side_and_a_denied_one_ends_none_of_them(
    service: Sandbox,
) -> None:
    service.fault("/contacts", **DENIED)
    requests = [TableRequest("account", ["name"]), "contact", "team"]
    rows = {"account": 0, "team": 0}
    with source_of(service) as source, source.read_tables(requests) as readings:
        for table, batch in readings:
            rows[table] += batch.num_rows
    assert rows == {name: len(service.rows(name)) for name in rows}
    outcomes = {name: found.outcome for name, found in readings.by_table.items()}
    expected = {"account": Outcome.DONE, "contact": Outcome.SKIPPED, "team": Outcome.DONE}
    assert outcomes == expected
    assert not readings.state["bookmarks"]["contact"]
    assert "SecLib" in str(readings.by_table["contact"].error)


def test_failed_table_is_named_after_the_others_were_read(service: Sandbox) -> None:
    service.fault("/teams", status=400, code="0x80040203", count=None)
    batches: list[pa.RecordBatch] = []
    with source_of(service) as source, source.read_tables(["account", "team"]) as readings:
        with pytest.raises(ServiceError, match="1 of 2 tables failed: team"):
            batches.extend(batch for _, batch in readings)
        assert readings.by_table["team"].outcome is Outcome.FAILED
    assert sum(batch.num_rows for batch in batches) == len(service.rows("account"))


def test_denied_table_raises_the_words_of_the_service(service: Sandbox) -> None:
    service.fault("/teams", **DENIED)
    with source_of(service) as source:
        reading = source.read("team")
        with pytest.raises(ServiceError, match="SecLib"):
            list(reading)
    assert reading.outcome is Outcome.SKIPPED


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": ["nmae"]}, "no column 'nmae'. Did you mean name?"),
        ({"method": "CHANGES"}, "choose INCREMENTAL, LOG_BASED or FULL_TABLE"),
        ({"method": "LOG_BASED", "filter": "statecode eq 0"}, "does not support filters"),
        ({"decimals": "float"}, "choose 'exact' or 'text'"),
        ({"state": {"account": {}}}, "needs bookmarks"),
    ],
)
def test_wrong_option_is_refused_in_a_sentence_before_a_row_is_requested(
    service: Sandbox, options: dict[str, object], words: str
) -> None:
    with source_of(service) as source, pytest.raises(SettingsError) as error:
        source.read("account", **options)  # type: ignore[arg-type]
    assert words in error.value.message


def test_method_that_a_service_lacks_is_refused(service: Sandbox, finance: FinanceSandbox) -> None:
    with source_of(finance) as source:
        with pytest.raises(SettingsError, match=r"Finance & Operations does not track changes"):
            source.read("CustomersV3", method="LOG_BASED")
        with pytest.raises(SettingsError, match=r"it has no replication key"):
            source.read("CustomersV3", method="INCREMENTAL")
    with source_of(service) as source:
        with pytest.raises(SettingsError, match=r"'team' is named twice"):
            source.read_tables(["team", TableRequest("team")])
        with pytest.raises(MetadataError, match=r"no table of the name 'tea\*'"):
            source.read("tea*")
