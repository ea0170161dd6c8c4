"""The whole way through the page in a browser, for each service, up to rows in PostgreSQL."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import psycopg
import pytest

from sandbox.finance_operations.companies import REACHED
from tests.configure import looks, pictures
from tests.configure.client import client_of
from tests.configure.conftest import COMMAND
from tests.configure.pictures import Album
from tests.configure.walk import SERVICES, Walk
from tests.conftest import fork_meltano
from tests.documents import Document
from tests.login.program import running
from tools import meltano, warehouse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from playwright.sync_api import Browser, Page

    from sandbox.central_client import CentralSandbox
    from sandbox.client import Sandbox
    from tests.configure.walk import Known
    from tools.meltano import Project
    from tools.postgres import Postgres

pytestmark = pytest.mark.usefixtures("needs_meltano")

PAGE = Document(pictures.DOCS / "configure.md")
# Bytes of all pictures, and letters of a text that is read instead of one.
LARGEST, SHORTEST = 600_000, 40
# Types of the service whose values are the same text in PostgreSQL, those with a decimal point,
# and those with a date.
EXACT = {"Edm.Boolean", "Edm.Guid", "Edm.Int32", "Edm.Int64", "Edm.String"}
NUMBERS = {"Edm.Decimal", "Edm.Double"}
MOMENTS = {"Edm.Date", "Edm.DateTimeOffset"}
# Business Central has the former instead of null.
BLANK, NULL = "0001-01-01", "null"
# Columns that the tap adds in Business Central.
COMPANY = {"company_id", "company_name"}


@dataclass
class Walked:
    """What was found on the way.

    Args:
        known: What was done with the service.
        sandbox: The service.
        project: The project that was saved.
        database: Where its rows go.
        definition: Its meltano.yml before.
        album: The pictures that were taken.
        faults: What is wrong with the looks of each screen.
        complaints: What the browser complained of.
    """

    known: Known
    sandbox: Sandbox
    project: Project
    database: Postgres
    definition: str
    album: Album
    faults: dict[str, list[str]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def look(self, name: str, page: Page) -> None:
        """Look at a screen, and take its picture."""
        # The same screens have the same looks for each service.
        is_first = self.known.fixture == "sandbox"
        if is_first:
            self.album.take(name, page)
        self.faults[name] = [*looks.faults(page, width_alone=not is_first)]


@pytest.fixture(scope="module", params=SERVICES)
def walked(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    browser: Browser,
    postgres_server: Postgres,
    database_names: Iterator[str],
) -> Iterator[Walked]:
    """Walk the whole way, for a service."""
    known = SERVICES[request.param]
    sandbox: Sandbox = request.getfixturevalue(known.fixture)
    database = postgres_server.create(next(database_names))
    target = {"TARGET_POSTGRES_SQLALCHEMY_URL": database.sqlalchemy_url}
    with meltano.project(target) as plain:
        project = replace(plain, start=fork_meltano)
        folder = project.folder
        definition = (folder / "meltano.yml").read_text()
        album = Album(tmp_path_factory.mktemp("pictures"))
        found = Walked(known, sandbox, project, database, definition, album)
        # The page then shows the folder as `~/warehouse`.
        home = {"HOME": str(folder.parent)}
        given = ("configure", "--project", str(folder))
        with (
            running(folder, *given, command=COMMAND, environment=home) as program,
            browser.new_context() as context,
        ):
            walk = Walk(context.new_page(), sandbox, known, client_of(program).address, found.look)
            walk.whole_way()
            assert program.end() == 0
        found.complaints = walk.witness.complaints
        yield found


def test_project_that_the_page_saves_runs_into_postgres(walked: Walked) -> None:
    known, project = walked.known, walked.project
    written = (project.folder / "meltano.yml").read_text()
    assert walked.sandbox.settings["client_secret"] not in written
    # The comments of the file stay.
    assert {*re.findall("#.*", walked.definition)} == {*re.findall("#.*", written)}
    project.run("run", "tap-dynamics365", "target-postgres")
    with psycopg.connect(walked.database.dsn) as connection:
        columns = warehouse.columns(connection)
        loaded = {table: warehouse.rows(connection, table) for table in columns}
    assert {*loaded} == {*known.tables} - {known.unwanted}
    left_out = {*known.left_out, (known.tables[0], known.column)}
    for table in walked.sandbox.tables():
        if (name := table["name"]) in loaded:
            kinds = {
                each: kind
                for each, kind in table["columns"].items()
                if (name, each) not in left_out
            }
            assert {*columns[name]} - COMPANY == {*kinds}
            stored = [row for row in walked.sandbox.rows(name) if is_read(walked, row)]
            assert len(stored) > 1
            assert values(loaded[name], kinds) == values(stored, kinds)


def is_read(walked: Walked, row: dict[str, Any]) -> bool:
    """Tell whether the tap reads a row, by its company."""
    if walked.known.fixture == "central_sandbox":
        central = cast("CentralSandbox", walked.sandbox)
        names = {each["id"]: each["name"] for each in central.companies()}
        return names[row["$company"]].startswith("CRONUS")
    return row.get("dataAreaId", REACHED[0]) in REACHED


def values(rows: Iterable[dict[str, Any]], kinds: Mapping[str, str]) -> list[tuple[str, ...]]:
    """The values of columns as text, in the same order for the same rows."""
    return sorted(tuple(text(row[name], kind) for name, kind in kinds.items()) for row in rows)


def text(value: Any, kind: str) -> str:  # noqa: ANN401 - a value of the service or of PostgreSQL
    """A value as text, which is the same for the same value. Bytes are not compared."""
    if value is None:
        return NULL
    if kind in EXACT:
        return str(value)
    if kind in NUMBERS:
        # Without the sign of zero.
        return repr(float(value) + 0.0)
    if kind in MOMENTS:
        moment = dt.datetime.fromisoformat(str(value)).replace(tzinfo=None)
        return NULL if moment.isoformat().startswith(BLANK) else moment.isoformat()
    if kind == "Edm.Binary":
        return ""
    # A name of an enumeration, which Business Central encodes.
    return str(value).replace("_x0020_", " ")


def test_browser_complains_of_nothing_on_the_way(walked: Walked) -> None:
    assert walked.complaints == []


def test_screens_on_the_way_are_accessible_and_fit(walked: Walked) -> None:
    assert {name: each for name, each in walked.faults.items() if each} == {}
    if not looks.AXE.exists():
        pytest.skip("axe-core is not installed: npm install --prefix tests/servers/axe")


@pytest.mark.parametrize("walked", ["dataverse"], indirect=True)
def test_pictures_in_the_documents_are_those_of_the_page(walked: Walked) -> None:
    if pictures.IS_REPLACING:
        walked.album.replace()
    found = {path.name: path.stat().st_size for path in pictures.FOLDER.glob("*.png")}
    assert {*found} == {f"{pictures.PREFIX}{name}.png" for name in walked.album.texts}
    assert sum(found.values()) < LARGEST
    shown = dict(re.findall(r"!\[([^\]]*)\]\(images/([^)]*)\)", PAGE.text))
    assert {*shown.values()} == {*found}
    assert all(len(text) > SHORTEST for text in shown)
    assert walked.album.text == pictures.TEXTS.read_text(encoding="utf-8"), (
        "The page has changed: run `make screenshots`, look at the pictures, and commit them."
    )
