"""`dynamics365 tables --since`: how many rows a first run with a start date would read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands.program import dynamics365
from tests.configure.client import client_of
from tests.configure.conftest import configuring
from tests.configure.services import rows
from tests.tap import Tap

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.client import Sandbox

DAY = "2024-05-01"


def since(settings: dict[str, Any], *tables: str, day: str = DAY) -> dict[str, Any]:
    """The number of rows since a day, by table."""
    output = dynamics365("tables", settings, *tables, "--since", day, "--json")
    assert output.status == 0, output.log
    return {row["name"]: row["rows_since"] for row in json.loads(output.printed)}


@pytest.mark.parametrize(
    ("fixture", "settings", "table", "key", "other"),
    [
        ("service", {}, "account", "modifiedon", "bulkdeletefailure"),
        (
            "finance",
            {"cross_company": True},
            "SalesOrderHeadersV2",
            "SysModifiedDateTime",
            "CustomersV3",
        ),
        ("central", {"companies": ["CRONUS*"]}, "items", "lastModifiedDateTime", None),
    ],
)
def test_rows_since_a_date_are_those_with_a_date_that_such_a_run_reads(  # noqa: PLR0913, PLR0917 - a case
    request: pytest.FixtureRequest,
    fixture: str,
    settings: dict[str, Any],
    table: str,
    key: str,
    other: str | None,
) -> None:
    sandbox: Sandbox = request.getfixturevalue(fixture)
    config = {**sandbox.settings, **settings}
    found = since(config, table, *filter(None, [other]))
    run = Tap({**config, "tables": [table], "start_date": DAY}).run()
    # Rows without a date are sent too.
    sent = {repr(each) for each in run.records(table) if (each[key] or "") >= DAY}
    assert found[table] == len(sent) > 0
    # Without a date to begin at, there is no such number.
    assert other is None or found[other] is None


def test_date_that_is_none_is_refused(service: Sandbox) -> None:
    refusal = dynamics365("tables", service.settings, "team", "--since", "yesterday").refusal()
    assert refusal.startswith("Setting start_date must be a date such as 2026-01-31")


def test_rows_that_dataverse_does_not_count_are_not_said_to_be_5000(
    changing_sandbox: Sandbox, tmp_path: Path
) -> None:
    service = changing_sandbox
    service.insert("team", [{"name": f"team {number}"} for number in range(5_001)])
    found = since(service.settings, "team", day="2000-01-01")
    assert found == {"team": "5,000 or more"}
    with configuring(tmp_path, service.settings) as program:
        client = client_of(program)
        client.open()
        client.post("/tables/rules", {"rules": "team.*"})
        before = rows(client.get("/tables"))["team"][5]
        page = client.post("/tables/count", {"table": "team"})
        assert rows(page)["team"][5] == before
        since_then = client.get("/table/replication?name=team&since=2000-01-01").text
    assert before == f"{len(service.rows('team')):,}"
    assert page.notices == ["The rows of 0 of 1 chosen tables are counted. Not counted: team."]
    assert "<strong>5,000 or more rows since then.</strong>" in since_then
