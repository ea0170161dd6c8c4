"""Screen Tables of the page: list, columns, first rows, and the choice, for each service."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tap_dynamics365.library import Dynamics365
from tests.configure.client import client_of
from tests.configure.conftest import checks, configuring
from tests.configure.services import SERVICES, Known, methods, replication, rows, ticked
from tests.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.configure.client import Answer, Client


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
        assert '<span class="label">Account Name</span></th>\n<td>text(160)</td>' in page.text
        assert "<td>lookup → systemuser, team</td>" in page.text
        assert "0 → <bdi>Active</bdi>, 1 → <bdi>Inactive</bdi>" in page.text
        assert "show_name_columns" in page.text
    elif known.fixture == "finance_sandbox":
        assert re.search(r"<td>choice<span class=.label.>No, \w+", page.text)


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
    assert "odata.maxpagesize=250" in asked[-1]["headers"]["prefer"]
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


def test_ticks_of_a_list_that_is_older_than_the_choice_are_not_taken(
    client: Client, known: Known
) -> None:
    def version() -> str:
        found = re.search(r'name="version" id="version" value="(\d+)"', client.get("/tables").text)
        assert found
        return found[1]

    client.post("/tables/rules", {"rules": ""})
    other, older = next(iter({*rows(client.get("/tables"))} - {known.table})), version()
    client.post("/tables", {"version": older, "table": known.table})
    for path in ("/tables", "/tables/count"):
        page = client.post(path, {"version": older, "table": other})
        assert page.notices == [
            "The choice has changed since this list was loaded, and your ticks are not taken."
        ]
        assert chosen(client) == {known.table}
    own = [("csrf", client.csrf), ("version", older), ("table", other)]
    answer = client.send("POST", "/tables", own, {"HX-Request": "true"})
    assert answer.headers["hx-refresh"] == "true"
    client.post("/tables", {"version": version(), "table": other})
    assert chosen(client) == {other}


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
        assert 'value="custom"' not in client.get("/tables").text


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


# Tables, the column of the first one that refers, and the second one.
LINKED = {
    "finance_sandbox": (
        "SalesOrderHeadersV2",
        "OrderingCustomerAccountNumber, dataAreaId",
        "CustomersV3",
    ),
    "central_sandbox": ("salesOrders", "customerId", "customers"),
}


def test_references_between_the_chosen_tables_are_listed_and_drawn(
    client: Client, known: Known
) -> None:
    if known.fixture != "sandbox":
        lines, column, target = LINKED[known.fixture]
        client.post("/tables/rules", {"rules": f"{lines}.*\n{target}.*"})
        page = client.get("/tables/references").text
        assert f'<th scope="row">{lines}</th><td>{column}</td><td>{target}</td>' in page
        assert page.count('class="line"') == 1
        # A reference by a column that is not chosen is none.
        client.post("/tables/rules", {"rules": f"{lines}.*\n{target}.*\n!*.*Account*\n!*.*Id"})
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
    words = "The rows of 0 of 1 chosen tables are counted. Not counted: {known.table}."
    assert page.notices == [words.format(known=known)]
    # How many rows a table has that can't be read, nobody knows.
    served.fault("$count", status=403, count=None)
    try:
        page = client.post("/tables/count", {"table": known.table})
    finally:
        served.clear_faults()
    assert page.notices == [words.format(known=known)]
    assert rows(page)[known.table][5] == f"{read:,}"


def test_checks_are_those_of_the_chosen_tables(client: Client, known: Known) -> None:
    client.post("/tables/rules", {"rules": f"{known.table}.*"})
    client.post("/connect/check")
    checks(client)
    text = client.get("/connect/checks").text
    assert "<strong>selection</strong> <span>1 table selected.</span>" in text
    assert "1 of 1 table can be read." in text


@pytest.mark.parametrize("known", ["finance-operations"], indirect=True)
def test_checks_before_the_choice_lead_to_tables_and_do_not_fail(client: Client) -> None:
    client.post("/tables/rules", {"rules": ""})
    client.post("/connect/check")
    found = checks(client)
    assert found["selection"] == ("not run", "No table is chosen yet.")
    assert "Choose tables on Tables." in client.get("/connect").text
    assert {status for status, _ in found.values()} == {"ok", "not run"}
    assert "0 failed." in client.get("/connect/checks").text


def test_columns_have_fill_bytes_and_masked_examples_of_one_page(
    client: Client, served: Sandbox, known: Known
) -> None:
    other = next(name for name in rows(client.get("/tables")) if name != known.table)
    before = client.get(f"/table?name={other}").text
    assert "Read one page" in before
    assert ">Filled<" not in before
    served.clear_requests()
    page = client.get(f"/table?name={known.table}&sample=1")
    assert [each for each in served.requests() if "maxpagesize=250" in str(each["headers"])]
    lines = cells(page)
    stored = served.rows(known.table)
    assert lines[known.column][2] == "••••"
    if known.fixture == "sandbox":
        share = sum(row["revenue"] is not None for row in stored[:250]) / min(250, len(stored))
        assert 0 < share < 1
        assert abs(float(lines["revenue"][3].rstrip("%")) / 100 - share) < 0.02
    for key in known.key.split(", "):
        assert int(lines[key][3].rstrip("%")) > 95
    shares = [float(line[4].strip("<% ")) for line in lines.values()]
    assert 80 <= sum(shares) <= 100 + len(shares)
    shown = client.get(f"/table?name={known.table}&values=1")
    values = {str(row[known.column])[:39] for row in stored if row[known.column]}
    assert cells(shown)[known.column][2].rstrip("…") in values
    # What a page has told stays, and its values do not.
    served.clear_requests()
    after = cells(client.get(f"/table?name={known.table}"))
    assert served.requests() == []
    assert after[known.column][2:] == lines[known.column][3:]


def cells(page: Answer) -> dict[str, list[str]]:
    """The lines of the columns of a table, by the name of the column."""
    found = re.findall(r"<tr><td><input .*?</tr>", page.text, re.DOTALL)
    texts = [
        [
            html.unescape(re.sub(r"<[^>]*>", "", cell)).strip()
            for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", line, re.DOTALL)
        ]
        for line in found
    ]
    names = [re.findall(r'aria-label="(\w+)', line)[0] for line in found]
    return {name: line[1:] for name, line in zip(names, texts, strict=True)}


def test_catalog_entry_of_a_table_is_that_of_discovery_with_the_choice(
    client: Client, served: Sandbox, known: Known
) -> None:
    rules = f"{known.table}.*\n!{known.table}.{known.column}"
    client.post("/tables/rules", {"rules": rules})
    client.post("/table/replication", {"name": known.table, "method": "FULL_TABLE"})
    page = client.get(f"/table/entry?name={known.table}")
    text = re.search(r'<pre [^>]*id="entry"[^>]*>(.*?)</pre>', page.text, re.DOTALL)
    assert text
    entry = json.loads(html.unescape(text[1]))
    settings = {**served.settings, **known.settings, "tables": [known.table]}
    (expected,) = Tap(settings).discover()["streams"]
    assert entry["schema"] == expected["schema"]
    assert entry["key_properties"] == expected["key_properties"]
    metadata = {tuple(item["breadcrumb"]): item["metadata"] for item in entry["metadata"]}
    assert metadata[()]["selected"] is True
    assert metadata[()]["replication-method"] == "FULL_TABLE"
    assert metadata["properties", known.column]["selected"] is False


def test_rows_since_a_date_are_counted_by_the_replication_key(
    client: Client, served: Sandbox, known: Known
) -> None:
    table = known.table if known.changes_by else "SalesOrderHeadersV2"
    key = known.changes_by or "SysModifiedDateTime"
    with Dynamics365({**served.settings, **known.settings}) as service:
        times = sorted(row[key] for row in service.rows(table) if row[key])
    day = times[len(times) // 2][:10]
    client.post("/table/replication", {"name": table, "method": "INCREMENTAL", "key": key})
    page = client.get(f"/table/replication?name={table}&since={day}")
    count = sum(time >= day for time in times)
    assert f"<strong>{count:,} row" in page.text
    assert f"By <code>{key}</code>." in page.text
    refused = client.get(f"/table/replication?name={table}&since=yesterday")
    assert refused.notices == [
        "Setting start_date must be a date such as 2026-01-31 or 2026-01-31T08:00:00Z."
    ]
    client.post("/table/replication", {"name": table, "method": "FULL_TABLE"})
    assert "Rows since" not in client.get(f"/table/replication?name={table}").text


def test_rule_that_matches_nothing_is_named(client: Client, known: Known) -> None:
    client.post("/tables/rules", {"rules": ""})
    page = client.post("/tables/rules", {"rules": f"{known.table}.*\nnothing_*.*\n!b<i>d.*"})
    assert page.notices == ["These rules match no table and no column: nothing_*.*, !b<i>d.*."]
    assert chosen(client) == {known.table}
