"""Name columns in PostgreSQL: labels, and names and tables of the targets of lookups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from tests.documents import Document
from tests.labels import Expected
from tools import warehouse
from tools.meltano import plugin_settings
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox
    from tools.meltano import Project
    from tools.postgres import Postgres

PAGE = Document(REPOSITORY / "docs" / "labels-and-metadata.md")
(WON,) = PAGE.blocks("Name columns", "sql")


def test_name_columns_selected_in_meltano_are_loaded_as_selected(
    sandbox: Sandbox, postgres: Postgres, meltano: Callable[[dict[str, str]], Project]
) -> None:
    project = meltano(
        {
            **plugin_settings(sandbox, postgres),
            "TAP_DYNAMICS365_SHOW_NAME_COLUMNS": "true",
            "TAP_DYNAMICS365_TABLES": '["opportunity"]',
            "TAP_DYNAMICS365__SELECT": (
                '["opportunity.*", "!opportunity._customerid_value", "!opportunity.owneridtype"]'
            ),
        }
    )
    project.run("run", "tap-dynamics365", "target-postgres")
    expected = Expected(sandbox).records("opportunity")
    left_out = {"_customerid_value", "owneridtype"}
    with psycopg.connect(postgres.dsn) as connection:
        types = warehouse.columns(connection)["opportunity"]
        loaded = warehouse.rows(connection, "opportunity")
        won = connection.execute(WON.encode()).fetchall()
    assert set(types) == {*next(iter(expected.values()))} - left_out
    names = ("opportunityratingcodename", "statuscodename", "customeridname", "customeridtype")
    assert {types[name] for name in names} == {"text"}
    assert {str(row["opportunityid"]): [row[name] for name in names] for row in loaded} == {
        key: [record[name] for name in names] for key, record in expected.items()
    }
    wanted = [
        (record["customeridname"], record["name"])
        for record in expected.values()
        if record["statuscodename"] == "Won" and record["customeridtype"] == "account"
    ]
    assert wanted
    assert sorted(won) == sorted(wanted)
