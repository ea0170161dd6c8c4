"""Column names that rows spell in another case than the catalog."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tap_dynamics365.extract.notices import Notices
from tap_dynamics365.extract.spelling import Spelling
from tap_dynamics365.odata.page import split
from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tests.singer.test_encoder import answer
from tests.tap import Message, Tap, choose, in_one_mode, select

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox


def corrected(
    caplog: pytest.LogCaptureFixture, *pages: list[dict[str, Any]], known: tuple[str, ...] = ()
) -> tuple[list[list[dict[str, Any]]], list[str]]:
    """Give the rows of pages and the warnings, where `id`, `Name` and `size` are wanted."""
    wanted = ["id", "Name", "size"]
    notices = Notices(logging.getLogger("test"))
    spelling = Spelling("table", wanted, ["id"], [*wanted, *known], notices)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        found = [
            spelling.corrected(split(answer(json.dumps({"value": rows})), DATAVERSE.dialect)).rows
            for rows in pages
        ]
    rows = [[msgspec.json.decode(row) for row in page] for page in found]
    return rows, [record.getMessage() for record in caplog.records]


def test_columns_in_another_case_are_read_with_one_warning_each(
    caplog: pytest.LogCaptureFixture,
) -> None:
    row = {"@odata.etag": "x", "ID": "1", "name@N.f": "N", "name": "n", "size": None}
    rows, warnings = corrected(caplog, [row] * 2, [], [row])
    wanted = {"@odata.etag": "x", "id": "1", "Name@N.f": "N", "Name": "n", "size": None}
    assert rows == [[wanted] * 2, [], [wanted]]
    assert sorted(warning.partition(". ")[0] for warning in warnings) == [
        "Rows of 'table' spell the column 'Name' of the catalog as 'name'",
        "Rows of 'table' spell the column 'id' of the catalog as 'ID'",
    ]


def test_column_that_the_first_rows_lack_is_found_in_later_rows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gone = {"@odata.context": "x#tables/$deletedEntity", "id": "0", "reason": "deleted"}
    (rows,), warnings = corrected(
        caplog, [gone, {"id": "1"}, {"id": "2", "size": 1}, {"id": "3", "NAME": "n"}]
    )
    assert rows == [gone, {"id": "1"}, {"id": "2", "size": 1}, {"id": "3", "Name": "n"}]
    assert len(warnings) == 1


def test_names_that_are_other_columns_stay(caplog: pytest.LogCaptureFixture) -> None:
    # One that the catalog has, one that is there too, and one that may be either.
    row = {"id": "1", "name": "n", "Name": "N", "SIZE": 1}
    rows, warnings = corrected(caplog, [row], [{"id": "1", "name": "n"}], known=("name", "Size"))
    assert rows == [[row], [{"id": "1", "name": "n"}]]
    assert warnings == []


def test_pages_of_ids_alone_do_not_end_the_search(caplog: pytest.LogCaptureFixture) -> None:
    ids = [{"@odata.etag": "x", "id": str(number)} for number in range(5_000)]
    rows, warnings = corrected(caplog, ids, [{"id": "1"}, {"id": "2", "name": "n", "size": 1}])
    assert rows[1][1] == {"id": "2", "Name": "n", "size": 1}
    assert len(warnings) == 1


@in_one_mode
@pytest.mark.parametrize("method", ["INCREMENTAL", "LOG_BASED"])
def test_table_whose_rows_have_names_in_another_case_arrives_complete(
    service: Sandbox, tap_for: Callable[..., Tap], catalog: Message, method: str
) -> None:
    other = [('"contactid":', '"ContactId":'), ('"fullname":', '"FULLNAME":')]
    other += [('"modifiedon":', '"ModifiedOn":')]
    service.fault("contacts", substitute=other, count=None)
    tap = tap_for(service, fetch_size=500)
    chosen = select(
        choose(catalog, "contact", replication_method=method),
        {"contact": ["fullname", "modifiedon", "jobtitle"]},
    )
    run = tap.sync(catalog=chosen)
    wanted = {row["contactid"]: row for row in service.rows("contact")}
    assert len(run.records("contact")) == len(wanted)
    for row in run.records("contact"):
        for name in ("fullname", "modifiedon", "jobtitle"):
            assert row[name] == wanted[row["contactid"]][name]
    assert len(run.logged("WARNING")) == len(other)
    # The bookmark is that of the rows: nothing is read again.
    assert tap.sync(catalog=chosen, state=run.state).counts.get("contact", 0) < len(wanted) // 2
