"""The whole way through the page, for each service: what it saves runs in Meltano."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import psycopg
import pytest

from tests.configure.client import client_of
from tests.configure.conftest import COMMAND
from tests.configure.test_plan import measure
from tests.configure.test_save import form_of
from tests.login.program import running
from tools import warehouse

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox
    from tools.meltano import Project
    from tools.postgres import Postgres


class Known(NamedTuple):
    """What is chosen of a service.

    Args:
        fixture: The fixture of its sandbox.
        table: A table.
        column: A column of it that is left out.
        kept: A column of it that stays.
        fields: Further fields of Connect.
    """

    fixture: str
    table: str
    column: str
    kept: str
    fields: dict[str, str]


SERVICES = {
    "dataverse": Known("sandbox", "team", "description", "name", {}),
    "finance-operations": Known(
        "finance_sandbox",
        "CustomersV3",
        "NameAlias",
        "OrganizationName",
        {"cross_company": "true", "tables": "CustomersV3"},
    ),
    "business-central": Known(
        "central_sandbox", "customers", "email", "displayName", {"companies": "CRONUS*"}
    ),
}


@pytest.mark.parametrize("service", SERVICES)
def test_project_that_the_page_saves_runs_into_postgres(
    request: pytest.FixtureRequest,
    meltano: Callable[[dict[str, str]], Project],
    postgres: Postgres,
    service: str,
) -> None:
    known = SERVICES[service]
    sandbox: Sandbox = request.getfixturevalue(known.fixture)
    project = meltano({"TARGET_POSTGRES_SQLALCHEMY_URL": postgres.sqlalchemy_url})
    before = (project.folder / "meltano.yml").read_text()
    given = ("configure", "--project", str(project.folder))
    with running(project.folder, *given, command=COMMAND) as program:
        client = client_of(program)
        client.open()
        names = ("service_url", "token_uri", "client_id", "client_secret")
        fields = {name: sandbox.settings[name] for name in names}
        client.post("/connect/check", {"way": "secret", **fields, **known.fields})
        while "Checking." in (page := client.get("/connect/checks")).text:
            pass
        assert "Connected" in page.text
        # The table by a tick, and all of its columns but one.
        client.post("/tables", {"table": known.table})
        page = client.get(f"/table?name={known.table}")
        boxes = re.findall(r'name="column" value="([^"]*)"', page.text)
        left = [("column", each) for each in boxes if each != known.column]
        assert len(left) == len(boxes) - 1
        client.post("/table/columns", [("name", known.table), *left])
        assert "measured with one page of each" in measure(client).text
        page = client.post("/save", form_of(client.get("/save")))
        assert page.notices[0].startswith("Written: ")
        assert page.notices[0].endswith("/.env.")
    written = (project.folder / "meltano.yml").read_text()
    assert fields["client_secret"] not in written
    # The comments of the file stay.
    assert {*re.findall("#.*", before)} == {*re.findall("#.*", written)}
    project.run("run", "tap-dynamics365", "target-postgres")
    with psycopg.connect(postgres.dsn) as connection:
        ((table, columns),) = warehouse.columns(connection).items()
        rows = warehouse.rows(connection, table)
    assert len(rows) > 1
    assert table == known.table
    assert known.kept in columns
    assert known.column not in columns
