"""Metadata streams in PostgreSQL, and the queries of the docs that join them with rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from sandbox.dataverse.organisation import MODEL
from tests.documents import Document
from tests.pipelines.targets import target_postgres
from tests.tap import Tap
from tools import warehouse
from tools.meltano import plugin_settings
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox
    from sandbox.data.model import Label
    from tests.tap import Message
    from tools.meltano import Project
    from tools.postgres import Postgres

PAGE = Document(REPOSITORY / "docs" / "labels-and-metadata.md")
LABELS, TOPICS, NAMES = PAGE.blocks("Metadata as tables", "sql")

Row = dict[str, Any]


def label(table: str, column: str, value: int) -> Label:
    """Return the label of a value of a choice."""
    (found,) = [c for c in MODEL.by_name[table].columns if c.name == column]
    assert found.options
    return next(option.label for option in found.options.options if option.value == value)


def in_words(row: Row) -> tuple[str | None, ...]:
    """Return an opportunity as the first query of the docs gives it."""
    columns = ("opportunityratingcode", "statecode", "statuscode")
    return (
        row["name"],
        *(
            None if row[column] is None else label("opportunity", column, row[column]).english
            for column in columns
        ),
    )


def topics(row: Row) -> tuple[str | None, str]:
    """Return a project as the second query of the docs gives it."""
    values = sorted(int(value) for value in row["new_topics"].split(","))
    words = (label("new_project", "new_topics", value).german for value in values)
    return row["new_name"], "; ".join(words)


@pytest.fixture
def loaded(
    sandbox: Sandbox, postgres: Postgres, meltano: Callable[[dict[str, str]], Project]
) -> Postgres:
    """A database after two runs of tap and target."""
    settings = {"metadata_streams": True, "emit_activate_version_messages": True}
    tap = Tap({**sandbox.settings, **settings, "tables": ["opportunity", "new_project"]})
    target = target_postgres(meltano({}), postgres, hard_delete=True)
    state: Message | None = None
    for _ in range(2):
        run = tap.sync(state=state)
        target.load(run.output)
        state = run.state
    return postgres


def test_metadata_streams_in_postgres_give_the_labels_by_the_queries_of_the_docs(
    sandbox: Sandbox, loaded: Postgres
) -> None:
    with psycopg.connect(loaded.dsn) as connection:
        opportunities = connection.execute(LABELS.encode()).fetchall()
        projects = connection.execute(TOPICS.encode()).fetchall()
        columns = connection.execute(NAMES.encode()).fetchall()
        types = warehouse.columns(connection)["TableMetadata"]
    rows = sorted(sandbox.rows("opportunity"), key=lambda row: row["opportunityid"])
    assert opportunities == [in_words(row) for row in rows]
    rows = sorted(sandbox.rows("new_project"), key=lambda row: row["new_projectid"])
    assert projects == [topics(row) for row in rows if row["new_topics"]]
    assert projects
    table = MODEL.by_name["opportunity"]
    assert sorted(columns) == sorted(
        (
            column.property_name,
            column.label.english or None,
            ", ".join(sorted(column.targets)) or None,
        )
        for column in table.columns
    )
    assert types["DisplayName"] == "jsonb"


def test_metadata_streams_selected_in_meltano_are_loaded_as_selected(
    sandbox: Sandbox, postgres: Postgres, meltano: Callable[[dict[str, str]], Project]
) -> None:
    project = meltano(
        {
            **plugin_settings(sandbox, postgres),
            "TAP_DYNAMICS365_METADATA_STREAMS": "true",
            "TAP_DYNAMICS365_TABLES": '["opportunity"]',
            "TAP_DYNAMICS365__SELECT": '["OptionsetMetadata.*", "StateMetadata.LocalizedLabel"]',
        }
    )
    project.run("run", "tap-dynamics365", "target-postgres")
    with psycopg.connect(postgres.dsn) as connection:
        loaded = warehouse.columns(connection)
        states = warehouse.rows(connection, "StateMetadata")
    assert set(loaded) == {"OptionsetMetadata", "StateMetadata"}
    assert set(loaded["StateMetadata"]) == {
        "EntityName",
        "State",
        "LocalizedLabelLanguageCode",
        "LocalizedLabel",
    }
    words = {(state["State"], state["LocalizedLabelLanguageCode"]) for state in states}
    assert words == {(state, language) for state in (0, 1, 2) for language in (1033, 1031)}
