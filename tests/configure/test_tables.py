"""Screen Tables of the page: list, columns, first rows, and the choice, for each service."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import pytest

from tap_dynamics365.library import Dynamics365
from tests.configure.client import client_of, until
from tests.configure.conftest import configuring

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.configure.client import Answer, Client


class Known(NamedTuple):
    """What a service has, and what the page says of it.

    Args:
        fixture: The fixture of its sandbox.
        table: A table.
        key: Its key.
        changes_by: Its replication key; empty if there is none.
        column: An optional column of it.
        chosen: Whether the table is chosen at the beginning.
        counts_rows: Whether the service says how many rows tables have.
        settings: Further settings.
    """

    fixture: str
    table: str
    key: str
    changes_by: str
    column: str
    chosen: bool
    counts_rows: bool
    settings: dict[str, int]


SERVICES = {
    "dataverse": Known(
        "sandbox",
        "account",
        "accountid",
        "modifiedon",
        "name",
        chosen=True,
        counts_rows=True,
        settings={"ws_retry_count": 0},
    ),
    "finance-operations": Known(
        "finance_sandbox",
        "CustomersV3",
        "dataAreaId, CustomerAccount",
        "",
        "OrganizationName",
        chosen=False,
        counts_rows=False,
        settings={"cross_company": True, "ws_retry_count": 0},
    ),
    "business-central": Known(
        "central_sandbox",
        "customers",
        "company_id, id",
        "lastModifiedDateTime",
        "displayName",
        chosen=True,
        counts_rows=False,
        settings={"ws_retry_count": 0},
    ),
}


@pytest.fixture(scope="module", params=SERVICES)
def known(request: pytest.FixtureRequest) -> Known:
    """A service."""
    return SERVICES[request.param]


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest, known: Known) -> Sandbox:
    """The sandbox of the service."""
    sandbox: Sandbox = request.getfixturevalue(known.fixture)
    return sandbox


@pytest.fixture(scope="module")
def client(served: Sandbox, known: Known, place: Path) -> Iterator[Client]:
    """A browser on the page of the service."""
    with configuring(place, {**served.settings, **known.settings}) as started:
        opened = client_of(started)
        opened.open()
        yield opened


def rows(answer: Answer) -> dict[str, list[str]]:
    """The lines of the list, by the name of the table: the texts of their cells."""
    lines = re.findall(r"<tr><td>.*?</tr>", answer.text, re.DOTALL)
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", line, re.DOTALL) for line in lines]
    texts = [
        [html.unescape(re.sub(r"<[^>]*>", "", cell)).strip() for cell in line] for line in cells
    ]
    names = [re.findall(r'value="([^"]*)"', line[0])[-1] for line in cells]
    return dict(zip(map(html.unescape, names), texts, strict=True))


def ticked(answer: Answer, name: str) -> set[str]:
    """The values of the boxes of a name that are ticked."""
    found = re.findall(rf'name="{name}" value="([^"]*)" aria-label="[^"]*" checked', answer.text)
    return set(map(html.unescape, found))


def chosen(client: Client) -> set[str]:
    """The tables that are chosen."""
    return ticked(client.get("/tables"), "table")


def rules(client: Client) -> list[str]:
    """The rules of the choice."""
    found = re.search(r'<textarea id="rules"[^>]*>([^<]*)</textarea>', client.get("/tables").text)
    assert found
    return html.unescape(found[1]).splitlines()


def test_list_has_what_is_known_of_each_table(
    client: Client, served: Sandbox, known: Known
) -> None:
    page = client.get("/tables")
    _, name, key, changes_by, _, count = rows(page)[known.table]
    assert name.startswith(known.table)
    assert (key, changes_by) == (known.key, known.changes_by)
    expected = f"{len(served.rows(known.table)):,}" if known.counts_rows else ""
    assert count == expected
    assert (known.table in ticked(page, "table")) is known.chosen


def test_table_has_its_columns_with_labels_and_types(client: Client, known: Known) -> None:
    page = client.get(f"/table?name={known.table}")
    lines = re.findall(r'<th scope="row">(\w+)', page.text)
    assert {known.column, *known.key.split(", ")} <= {*lines}
    always = re.findall(r'disabled aria-label="(\w+), always read"', page.text)
    assert {*always} == {*known.key.split(", "), known.changes_by} - {""}
    if known.fixture == "sandbox":
        assert '<span class="label">Account Name</span></th>\n<td>String (160)</td>' in page.text
        assert "<td>Lookup → systemuser, team</td>" in page.text


def test_values_are_masked_until_they_are_asked_for(
    client: Client, served: Sandbox, known: Known
) -> None:
    values = {str(row[known.column]) for row in served.rows(known.table) if row[known.column]}
    masked = client.get(f"/table/preview?name={known.table}")
    shown = client.get(f"/table/preview?name={known.table}&values=1")
    cells = re.findall(r"<td>(.*?)</td>", masked.text)
    assert {*cells} == {"", "••••"}
    found = {html.unescape(cell) for cell in re.findall(r"<td>(.*?)</td>", shown.text)}
    assert len(found & values) > 5
    assert masked.text.count("<tr>") == shown.text.count("<tr>") <= 21


def test_preview_reads_one_page_and_keeps_no_row(
    client: Client, served: Sandbox, known: Known
) -> None:
    client.get("/tables")
    served.clear_requests()
    client.get(f"/table/preview?name={known.table}&values=1")
    asked = served.requests()
    paths = [request["path"] for request in asked]
    assert "odata.maxpagesize=20" in asked[-1]["headers"]["prefer"]
    assert not [path for path in paths if "$metadata" in path or "Definitions" in path]
    assert 1 <= len(paths) <= 4


def test_ticks_choose_the_tables_that_are_shown(client: Client, known: Known) -> None:
    every = {*rows(client.get("/tables"))}
    client.post("/tables", [("table", name) for name in every])
    assert chosen(client) == every
    # Only the tables of the filtered list are taken.
    shown = {*rows(client.get(f"/tables?text={known.table}"))}
    assert known.table in shown < every
    client.post("/tables", {"text": known.table, "which": "all", "table": known.table})
    assert chosen(client) == every - shown | {known.table}
    assert {*rows(client.get("/tables?which=chosen"))} == chosen(client)
    # Whoever unticks a table in the list of the chosen ones can tick it again.
    form = [("which", "chosen"), *(("shown", name) for name in (*every - shown, known.table))]
    client.post("/tables", form)
    assert chosen(client) == set()
    assert rules(client) != ["*.*"]
    client.post("/tables", [*form, ("table", known.table)])
    assert chosen(client) == {known.table}
    assert rules(client) == [f"{known.table}.*"]


def test_ticks_choose_the_columns_of_a_table(client: Client, known: Known) -> None:
    client.post("/tables", {"table": known.table})
    every = ticked(client.get(f"/table?name={known.table}"), "column")
    left = every - {known.column}
    form = [("name", known.table), *(("column", column) for column in left)]
    page = client.post("/table/columns", form)
    assert ticked(page, "column") == left
    assert rules(client) == [f"{known.table}.*", f"!{known.table}.{known.column}"]
    assert "some columns" in client.get("/tables").text
    # The columns stay while the list of tables is sent.
    client.post("/tables", {"table": known.table})
    assert ticked(client.get(f"/table?name={known.table}"), "column") == left


def test_rules_choose_tables_and_columns(client: Client, known: Known) -> None:
    written = f"{known.table}.*\n\n !{known.table}.{known.column} "
    client.post("/tables/rules", {"rules": written})
    assert chosen(client) == {known.table}
    assert known.column not in ticked(client.get(f"/table?name={known.table}"), "column")
    assert rules(client) == [f"{known.table}.*", f"!{known.table}.{known.column}"]


def test_script_gets_the_parts_that_a_tick_changes(client: Client, known: Known) -> None:
    client.post("/tables/rules", {"rules": ""})
    own = [("csrf", client.csrf), ("table", known.table)]
    answer = client.send("POST", "/tables", own, {"HX-Request": "true"})
    assert answer.status == 200
    assert "<strong>1 chosen</strong>" in answer.text
    assert f'hx-swap-oob="true">{known.table}.*</textarea>' in answer.text
    assert "<html" not in answer.text


def test_filter_finds_labels_and_columns(client: Client, known: Known) -> None:
    assert known.table in rows(client.get(f"/tables?text={known.column.upper()}"))
    assert rows(client.get("/tables?text=invented")) == {}
    assert "No table matches." in client.get("/tables?text=invented").text
    if known.fixture == "sandbox":
        assert "account" in rows(client.get(f"/tables?text={quote('Account Name')}"))
        assert all(line[4] == "yes" for line in rows(client.get("/tables?which=tracked")).values())
        custom = {*rows(client.get("/tables?which=custom"))}
        assert "new_sensordata" in custom
        assert not {"account", "contact"} & custom
    else:
        assert "<option>custom</option>" not in client.get("/tables").text


def test_table_that_may_not_be_read_says_so(client: Client, served: Sandbox, known: Known) -> None:
    served.fault(known.table, status=403, count=None)
    try:
        page = client.get(f"/table/preview?name={known.table}")
    finally:
        served.clear_faults()
    assert page.status == 200
    assert 'role="alert"' in page.text


def test_table_that_is_not_there_is_refused_in_a_sentence(client: Client) -> None:
    for path in ("/table", "/table?name=nothing", "/table/preview?name=nothing"):
        assert client.get(path).notices == ["The service has no such table."]
    sent = client.post("/table/columns", {"name": "nothing"})
    assert sent.notices == ["The service has no such table."]


def methods(page: Answer) -> dict[str, bool]:
    """The replication methods that a page shows, and whether the table can have each."""
    found = re.findall(r'name="method" id="[\w-]+" value="(\w+)"([^>]*)>', page.text)
    return {name: " disabled" not in rest for name, rest in found}


def replication(page: Answer) -> tuple[str, str]:
    """The replication method that is chosen, and its key."""
    method = re.search(r'value="(\w+)" aria-describedby="[\w-]+" checked', page.text)
    key = re.search(r"<option selected>(\w+)</option>", page.text)
    assert method
    return method[1], key[1] if key else ""


def test_replication_methods_are_those_that_the_table_can_have(
    client: Client, known: Known
) -> None:
    page = client.get(f"/table/replication?name={known.table}")
    is_tracked = known.fixture == "sandbox"
    expected = {"INCREMENTAL": True, "LOG_BASED": is_tracked, "FULL_TABLE": True}
    if known.fixture == "finance_sandbox":
        expected["INCREMENTAL"] = "Replication key" in page.text
    assert methods(page) == expected
    usual = ("INCREMENTAL", known.changes_by) if known.changes_by else ("FULL_TABLE", "")
    assert replication(page) == usual
    if known.counts_rows:
        assert f"Each run reads all rows, about {rows(client.get('/tables'))[known.table][5]}" in (
            page.text
        )


def test_replication_of_a_table_is_chosen(client: Client, known: Known) -> None:
    name = known.table
    page = client.post("/table/replication", {"name": name, "method": "FULL_TABLE", "key": "x"})
    assert page.notices == [f"{name} is replicated FULL_TABLE."]
    assert replication(page) == ("FULL_TABLE", "")
    assert rows(client.get("/tables"))[name][3] == "read in full"
    if known.fixture == "sandbox":
        client.post("/table/replication", {"name": name, "method": "LOG_BASED"})
        assert rows(client.get("/tables"))[name][3] == "tracking"
        form = {"name": name, "method": "INCREMENTAL", "key": "versionnumber"}
        page = client.post("/table/replication", form)
        assert page.notices == [f"{name} is replicated INCREMENTAL, by versionnumber."]
        assert replication(page) == ("INCREMENTAL", "versionnumber")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"method": "SORCERY"}, "There is no such method."),
        ({"method": "INCREMENTAL", "key": "name"}, "The table has no such replication key."),
        ({"method": "LOG_BASED"}, "{kind} does not track changes."),
    ],
    ids=["unknown", "key", "tracking"],
)
def test_replication_that_a_table_can_not_have_is_refused(
    client: Client, known: Known, form: dict[str, str], words: str
) -> None:
    if form["method"] == "LOG_BASED" and known.fixture == "sandbox":
        form = {**form, "name": "territory"}
        words = "Change tracking is off for this table. An administrator can turn it on."
    kind = {"finance_sandbox": "Finance & Operations", "central_sandbox": "Business Central"}
    page = client.post("/table/replication", {"name": known.table, **form})
    if known.fixture == "finance_sandbox" and form["method"] == "INCREMENTAL":
        words = "The table has no "
    assert page.notices[0].startswith(words.format(kind=kind.get(known.fixture)))


def test_references_between_the_chosen_tables_are_listed_and_drawn(
    client: Client, known: Known
) -> None:
    if known.fixture != "sandbox":
        client.post("/tables/rules", {"rules": f"{known.table}.*"})
        assert "No chosen table refers to another one" in client.get("/tables/references").text
        return
    client.post(
        "/tables/rules", {"rules": "account.*\ncontact.*\n!contact._parentcustomerid_value"}
    )
    page = client.get("/tables/references").text
    listed = re.findall(r'<th scope="row">(\w+)</th><td>(\w+)</td><td>(\w+)</td>', page)
    assert ("account", "_primarycontactid_value", "contact") in listed
    assert ("account", "_parentaccountid_value", "account") in listed
    assert not [column for _, column, _ in listed if column == "_parentcustomerid_value"]
    assert {target for _, _, target in listed} <= {"account", "contact"}
    assert re.findall(r'text-anchor="\w+">(\w+)</text>', page) == ["account", "contact"]
    drawn = {(one, other) for one, _, other in listed if one != other}
    assert page.count('class="line"') == len(drawn)


def test_rows_of_the_chosen_tables_are_counted_by_every_service(
    client: Client, served: Sandbox, known: Known
) -> None:
    client.post("/tables/rules", {"rules": ""})
    page = client.post("/tables/count", {"table": known.table})
    assert page.notices == ["The rows of 1 of 1 chosen tables are counted."]
    with Dynamics365({**served.settings, **known.settings}) as service:
        read = sum(1 for _ in service.rows(known.table))
    assert rows(page)[known.table][5] == f"{read:,}"
    served.fault("$count", status=500, count=None)
    try:
        client.post("/tables/rules", {"rules": ""})
        page = client.post("/tables/count", {"table": known.table})
    finally:
        served.clear_faults()
    assert page.notices == ["The rows of 0 of 1 chosen tables are counted."]


def test_checks_are_those_of_the_chosen_tables(client: Client, known: Known) -> None:
    client.post("/tables/rules", {"rules": f"{known.table}.*"})
    client.post("/connect/check")
    until(lambda: "Checking." not in client.get("/connect/checks").text)
    text = client.get("/connect/checks").text
    assert "<strong>selection</strong> <span>1 table selected.</span>" in text
    assert "1 of 1 table can be read." in text
