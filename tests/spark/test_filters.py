"""Filters of a query: the conditions that the service checks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyspark.sql import datasource as spark
from pyspark.sql.types import StructType

from tap_dynamics365.spark import Dynamics365DataSource
from tap_dynamics365.spark.filters import MOST_VALUES, FilterColumn, conditions
from tests.spark.reading import app

if TYPE_CHECKING:
    from pyspark.sql.datasource import Filter

    from sandbox.client import Sandbox

GUID = "0b8aa7b1-0000-4000-8000-00000000c0de"


def columns(*, has_functions: bool = True) -> dict[str, FilterColumn]:
    """The columns of a table."""
    found = [
        ("accountid", pa.string(), "Edm.Guid"),
        ("name", pa.string(), "Edm.String"),
        ("status", pa.string(), ""),
        ("revenue", pa.decimal128(38, 4), "Edm.Decimal"),
        ("share", pa.float64(), "Edm.Double"),
        ("count", pa.int32(), "Edm.Int32"),
        ("isopen", pa.bool_(), "Edm.Boolean"),
        ("createdon", pa.timestamp("us", "UTC"), "Edm.DateTimeOffset"),
        ("localtime", pa.timestamp("us"), "Edm.DateTimeOffset"),
        ("day", pa.date32(), "Edm.Date"),
        ("olderday", pa.date32(), "Edm.DateTimeOffset"),
    ]
    return {
        name: FilterColumn(
            name=name,
            type=kind,
            edm_type=edm_type,
            is_null=f"{name} eq null",
            has_functions=has_functions,
        )
        for name, kind, edm_type in found
    }


COLUMNS = columns()
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (spark.EqualTo(("count",), 5), "count eq 5"),
        (spark.EqualTo(("isopen",), True), "isopen eq true"),  # noqa: FBT003 - as Spark makes it
        (spark.EqualTo(("accountid",), GUID), f"accountid eq {GUID}"),
        (spark.EqualTo(("name",), "O'Brien"), "name eq 'O''Brien'"),
        (spark.EqualTo(("day",), date(2026, 1, 31)), "day eq 2026-01-31"),
        (spark.EqualNullSafe(("count",), None), "count eq null"),
        (spark.GreaterThan(("revenue",), Decimal("1E+3")), "revenue gt 1000"),
        (spark.LessThan(("share",), 1e-7), "share lt 0.0000001"),
        (spark.GreaterThanOrEqual(("count",), -1), "count ge -1"),
        (spark.LessThanOrEqual(("day",), date(2026, 1, 31)), "day le 2026-01-31"),
        (spark.In(("count",), (1, 2, None)), "((count eq 1) or (count eq 2))"),
        (spark.In(("name",), ("a",)), "name eq 'a'"),
        (spark.IsNull(("name",)), "name eq null"),
        (spark.IsNotNull(("name",)), "name ne null"),
        (spark.Not(spark.EqualTo(("count",), 5)), "count ne 5"),
        (spark.Not(spark.IsNull(("name",))), "name ne null"),
        (spark.StringStartsWith(("name",), "a"), "startswith(name,'a')"),
        (spark.StringEndsWith(("name",), "'"), "endswith(name,'''')"),
        (spark.StringContains(("name",), "50%"), "contains(name,'50%')"),
    ],
    ids=lambda each: str(each) if isinstance(each, str) else "",
)
def test_filter_that_the_service_can_check_is_written(given: Filter, written: str) -> None:
    assert conditions([given], COLUMNS) == [written]


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (spark.GreaterThan(("createdon",), NOON), "createdon ge 2026-01-31T12:00:00Z"),
        (spark.GreaterThan(("createdon",), LATER), "createdon ge 2026-01-31T12:00:00Z"),
        (spark.LessThan(("createdon",), NOON), "createdon le 2026-01-31T12:00:00Z"),
        (spark.LessThanOrEqual(("createdon",), LATER), "createdon le 2026-01-31T12:00:01Z"),
        (
            spark.EqualTo(("localtime",), LATER.replace(tzinfo=None)),
            "localtime ge 2026-01-31T12:00:00Z and localtime le 2026-01-31T12:00:01Z",
        ),
    ],
)
def test_filter_of_a_moment_includes_the_seconds_around_it(given: Filter, written: str) -> None:
    assert conditions([given], COLUMNS) == [written]


@pytest.mark.parametrize(
    "given",
    [
        spark.GreaterThan(("name",), "a"),
        spark.GreaterThan(("isopen",), False),  # noqa: FBT003 - as Spark makes it
        spark.LessThan(("accountid",), GUID),
        spark.Not(spark.EqualTo(("name",), "a")),
        spark.Not(spark.StringContains(("name",), "a")),
        spark.Not(spark.GreaterThan(("count",), 1)),
        spark.EqualTo(("accountid",), "no-guid"),
        spark.EqualTo(("status",), "Open"),
        spark.EqualTo(("name",), "a*"),
        spark.StringContains(("name",), "[ab]"),
        spark.StringContains(("accountid",), "ab"),
        spark.StringStartsWith(("name",), ""),
        spark.EqualTo(("olderday",), date(2026, 1, 31)),
        spark.EqualTo(("share",), float("nan")),
        spark.EqualTo(("count",), "5"),
        spark.EqualTo(("name",), 5),
        spark.EqualTo(("unknown",), 5),
        spark.EqualTo(("outer", "inner"), 5),
        spark.In(("count",), tuple(range(MOST_VALUES + 1))),
        spark.In(("count",), (None,)),
    ],
    ids=str,
)
def test_filter_that_could_lose_rows_stays_with_spark(given: Any) -> None:  # noqa: ANN401 - a filter
    assert conditions([given], COLUMNS) == []


def test_reader_takes_filters_only_if_the_options_say_so(sandbox: Sandbox) -> None:
    """Spark refuses a reader that takes filters while its setting is off, which is the default."""
    schema = StructType().add("name", "string")
    takes = [
        type(Dynamics365DataSource(options).reader(schema)).pushFilters
        is not spark.DataSourceReader.pushFilters
        for options in (
            app(sandbox.settings, path="account"),
            app(sandbox.settings, path="account", push_filters="true"),
        )
    ]
    assert takes == [False, True]


def test_filter_of_nulls_is_that_of_the_service() -> None:
    """Business Central has a date for no date, and Finance & Operations knows no null."""
    blank = replace(COLUMNS["day"], is_null="day eq 0001-01-01")
    never = replace(COLUMNS["count"], is_null=None)
    found = {"day": blank, "count": never}
    assert conditions([spark.IsNull(("day",))], found) == ["day eq 0001-01-01"]
    assert conditions([spark.IsNotNull(("day",))], found) == []
    assert conditions([spark.IsNull(("count",)), spark.IsNotNull(("count",))], found) == []


def test_filter_of_a_part_of_a_text_stays_where_the_service_has_no_functions() -> None:
    filters = [spark.StringContains(("name",), "a"), spark.EqualTo(("name",), "a")]
    assert conditions(filters, columns(has_functions=False)) == ["name eq 'a'"]
