"""Switch `unsortable_tables`: reads of a table that are sorted by a date time out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from sandbox import central_client, client, finance_client
from tests.sandbox.api import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNNING = {
    "dataverse": client.running,
    "finance operations": finance_client.running,
    "business central": central_client.running,
}


class Names(NamedTuple):
    """Names in a service: a table, its entity set, key and date, and another set with the date."""

    table: str
    set_name: str
    key: str
    date: str
    other: str


NAMES = {
    "dataverse": Names("contact", "contacts", "contactid", "modifiedon", "accounts"),
    # A column of this key is a date.
    "finance operations": Names(
        *("WorkerPositions", "WorkerPositions", "PersonnelNumber,ValidFrom"),
        *("SysModifiedDateTime", "VendorsV2"),
    ),
    "business central": Names("customers", "customers", "id", "lastModifiedDateTime", "vendors"),
}


@pytest.fixture(scope="module", params=RUNNING)
def service(request: pytest.FixtureRequest) -> Iterator[tuple[Api, Names]]:
    """A service with a table that cannot be sorted by a date, read once before that."""
    with RUNNING[request.param](rows=500) as sandbox:
        api, names = Api(sandbox), NAMES[request.param]
        for size in (1, 5000):
            path = f"{names.set_name}?$orderby={names.date}"
            assert api.read(path, Prefer=f"odata.maxpagesize={size}")["value"]
        sandbox.configure(unsortable_tables=[names.table])
        yield api, names


@pytest.mark.parametrize("size", [1, 5000])
@pytest.mark.parametrize("order", ["{date}", "{date} desc,{key}", "{key},{date}"])
def test_read_that_is_sorted_by_a_date_times_out(
    service: tuple[Api, Names], order: str, size: int
) -> None:
    api, names = service
    path = f"{names.set_name}?$orderby={order.format(**names._asdict())}"
    assert api.get(path, Prefer=f"odata.maxpagesize={size}").status_code == 504


@pytest.mark.parametrize(
    "query",
    [
        "$filter={date} ge 2000-01-01T00:00:00Z",
        "$filter={date} ge 2000-01-01T00:00:00Z&$orderby={key}",
        "$orderby={key} desc",
    ],
)
def test_read_that_is_not_sorted_by_a_date_works(service: tuple[Api, Names], query: str) -> None:
    api, names = service
    assert api.read(f"{names.set_name}?{query.format(**names._asdict())}")["value"]


def test_other_tables_are_sorted_by_a_date(service: tuple[Api, Names]) -> None:
    api, names = service
    assert api.read(f"{names.other}?$orderby={names.date}")["value"]
