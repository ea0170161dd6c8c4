"""`dynamics365 export`: values of the services, changes and deletes, failures, and messages."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import pty
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from pyarrow import parquet

from tests.commands.program import FORKED, dynamics365
from tests.export.places import Place
from tests.export.running import export, sent, started
from tests.tap import PLAIN, Tap
from tools.postgres import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.central_client import CentralSandbox
    from sandbox.client import Sandbox
    from sandbox.finance_client import FinanceSandbox

    Row = dict[str, Any]

KEYS = {"account": "accountid", "teammembership": "teammembershipid"}
# The types of columns in files, by their types in the service; others are text.
TYPES = {
    "Edm.Binary": "binary",
    "Edm.Boolean": "bool",
    "Edm.Date": "date32[day]",
    "Edm.DateTimeOffset": "timestamp[us, tz=UTC]",
    "Edm.Decimal": "decimal128",
    "Edm.Double": "double",
    "Edm.Int32": "int32",
    "Edm.Int64": "int64",
}


def plain(value: Any, like: Any) -> object:  # noqa: ANN401 - values of any type
    """Return a value of a service in the type in which a destination has it."""
    if value is None or like is None:
        return value
    match like:
        case dt.datetime():
            moment = dt.datetime.fromisoformat(value)
            value = moment if like.tzinfo else moment.replace(tzinfo=None)
        case dt.date():
            value = dt.date.fromisoformat(value[:10])
        case Decimal() | float():
            value = type(like)(str(value))
        case bytes():
            value = base64.b64decode(value)
        case str() if not isinstance(value, str):
            value = json.dumps(value, separators=(",", ":"))
    return value


def by_key(rows: list[Row], key: list[str]) -> dict[tuple[str, ...], Row]:
    """Return rows by their keys, none of which comes twice."""
    found = {tuple(str(row[part]) for part in key): row for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize(
    ("service", "tables"),
    [
        ("sandbox", ["account", "team", "audit", "new_measurement", "bot"]),
        ("finance_sandbox", ["CustomersV3", "SalesOrderLines", "Companies", "JournalDefaults"]),
        ("central_sandbox", ["customers", "journalLines", "pictures"]),
    ],
)
def test_parquet_has_the_values_that_the_tap_sends_of_each_service(
    request: pytest.FixtureRequest, tmp_path: Path, service: str, tables: list[str]
) -> None:
    sandbox = request.getfixturevalue(service)
    settings = {**sandbox.settings, "tables": tables}
    if service == "finance_sandbox":
        settings["cross_company"] = True
    place = Place("parquet", tmp_path)
    run = Tap(settings).sync()
    assert sent(export(settings, place)) == sum(run.counts.values())
    assert run.counts.keys() == {*tables}
    for table in tables:
        key = run.schemas[table]["key_properties"]
        found, expected = by_key(place.rows(table), key), by_key(run.records(table), key)
        assert found.keys() == expected.keys()
        for each, row in found.items():
            assert row == {name: plain(expected[each].get(name), row[name]) for name in row}
            assert row.keys() >= expected[each].keys()
    # The values above are compared in the types of the files, which have to be these.
    kinds = {each["name"]: each["columns"] for each in sandbox.tables()}
    for table in tables:
        for file in (place.folder / "files" / table).glob("*.parquet"):
            types = {field.name: str(field.type) for field in parquet.read_schema(file)}
            columns = kinds[table].keys() & types.keys()
            found_types = {name: types[name].partition("(")[0] for name in columns}
            assert found_types == {
                name: TYPES.get(kinds[table][name], "string") for name in columns
            }


def test_changes_and_deletes_arrive_with_the_same_command(
    changing_sandbox: Sandbox, place: Place
) -> None:
    settings = {**changing_sandbox.settings, "replication_method": "LOG_BASED"}
    tables = {table: changing_sandbox.rows(table) for table in KEYS}
    assert sent(export(settings, place, *KEYS)) == sum(map(len, tables.values()))
    changing_sandbox.update("account", tables["account"][0]["accountid"], {"name": "Changed"})
    changing_sandbox.insert("account", [{"name": "New"}])
    for table, key in KEYS.items():
        changing_sandbox.delete(table, tables[table][1][key])
    assert sent(export(settings, place, *KEYS)) == 4
    assert sent(export(settings, place, *KEYS)) == 0
    if not place.upserts:
        assert len(place.all_rows("account")) == len(tables["account"]) + 3
        return
    for table, key in KEYS.items():
        found = by_key(place.rows(table), [key])
        expected = by_key(changing_sandbox.rows(table), [key])
        assert found.keys() == expected.keys()
        if table == "account":
            assert all(row["name"] == expected[each]["name"] for each, row in found.items())


def test_full_tables_are_replaced_once_they_are_read(
    changing_finance: FinanceSandbox, place: Place
) -> None:
    settings = {**changing_finance.settings, "cross_company": True}
    key = ["dataAreaId", "CustomerAccount"]
    first = sent(export(settings, place, "CustomersV3"))
    expected = by_key(place.rows("CustomersV3"), key)
    assert len(expected) == first
    gone = next(iter(expected))
    changing_finance.delete("CustomersV3", gone)
    del expected[gone]
    assert sent(export(settings, place, "CustomersV3")) == len(expected)
    assert by_key(place.rows("CustomersV3"), key).keys() == expected.keys()
    changing_finance.delete("CustomersV3", next(iter(expected)))
    # A read that fails leaves the rows of the one before.
    changing_finance.fault("CustomersV3", count=None, status=400)
    assert export(settings, place, "CustomersV3").status == 1
    assert by_key(place.rows("CustomersV3"), key).keys() == expected.keys()


def test_table_that_somebody_has_removed_is_exported_from_its_beginning(
    sandbox: Sandbox, place: Place
) -> None:
    first = sent(export(sandbox.settings, place, "team"))
    place.remove("team")
    output = export(sandbox.settings, place, "team")
    if place.name == "parquet":
        assert output.status == 1
        assert "team-000001.parquet is missing, with rows of 'team'. Put it back, " in output.log
        output = export(sandbox.settings, place, "team", "--full")
    assert sent(output) == first == len(place.rows("team"))


def test_destination_with_rows_of_another_environment_is_refused_until_full(
    sandbox: Sandbox, changing_sandbox: Sandbox, tmp_path: Path
) -> None:
    place = Place("parquet", tmp_path)
    sent(export(sandbox.settings, place, "team"))
    before = place.rows("team")
    refusal = export(changing_sandbox.settings, place, "team").refusal()
    assert "The rows of 'team' in " in refusal
    assert f" are those of {sandbox.url}" in refusal
    assert f"service_url is now {changing_sandbox.url}" in refusal
    assert place.rows("team") == before
    # Another version of the same API is no other environment.
    url = sandbox.service_url.replace("v9.2", "v9.1")
    sent(export({**sandbox.settings, "service_url": url}, place, "team"))
    sent(export(changing_sandbox.settings, place, "team", "--full"))
    sent(export(changing_sandbox.settings, place, "team"))


@pytest.mark.parametrize("name", ["parquet", "duckdb"])
def test_table_with_a_denied_company_that_begins_again_shows_changes(
    changing_central: CentralSandbox, tmp_path: Path, name: str
) -> None:
    place = Place(name, tmp_path)
    first = sent(export(changing_central.settings, place, "customers"))
    output = export(changing_central.settings, place, "customers", "--full")
    assert sent(output) == first
    assert "0 of 1 table done (1 read in part)" in output.printed
    row = place.rows("customers")[0]
    key = (row["company_id"], row["id"])
    changing_central.update("customers", key, {"displayName": "Changed"})
    sent(export(changing_central.settings, place, "customers"))
    names = [each["displayName"] for each in place.rows("customers") if each["id"] == row["id"]]
    assert "Changed" in names


def test_table_that_is_denied_and_table_that_fails_leave_the_others_complete(
    service: Sandbox, tmp_path: Path
) -> None:
    place = Place("parquet", tmp_path)
    service.configure(forbidden_tables=["contact"])
    output = export(service.settings, place, "contact", "team", "territory")
    assert sent(output) == 20
    assert "2 of 3 tables done (1 skipped)" in output.printed
    assert "'contact'" in output.log
    service.fault(r"/territories\?", count=None, status=400)
    output = export(service.settings, place, "team", "territory", "--full")
    assert output.status == 1
    assert output.log.splitlines()[-1] == (
        "1 of 2 tables failed, for the reasons logged above: territory. Everything that arrived is "
        "committed. Run the same command again to go on from there."
    )
    assert len(place.rows("team")) == 8
    assert len(place.rows("territory")) == 12
    service.configure(forbidden_tables=["contact", "team"])
    assert (
        "None of the tables can be read"
        in export(service.settings, place, "contact", "team", "--full").log
    )


def test_wrong_destinations_are_one_sentence_without_the_password(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "rows.csv").write_text("a,b\n" * 5_000)
    nobody = f"postgresql://ada:not-a-real-secret@127.0.0.1:{free_port()}/crm"
    state = ("--state-out", str(tmp_path / "config.json"))
    (tmp_path / "config.json").write_text('{"streams": []}')
    for to, arguments, words in (
        (str(tmp_path / "file"), (), "can't be written: "),
        ("/proc/rows", (), "The folder /proc/rows can't be written: "),
        ("duckdb:/proc/rows.duckdb", (), "The DuckDB file /proc/rows.duckdb can't be written: "),
        (f"duckdb:{tmp_path / 'rows.csv'}", (), "rows.csv is no database of DuckDB: "),
        ("delta:/proc/rows", (), "Delta tables in /proc/rows can't be written: "),
        ("duckdb:", (), "--to duckdb: needs a path"),
        ("mysql://ada:not-a-real-secret@localhost/crm", (), "--to names no destination: write DIR"),
        (nobody, (), "PostgreSQL at 127.0.0.1:"),
        ("postgresql://ada:not-a-real-secret@[crm", (), "--to is not a URL of PostgreSQL"),
        (str(tmp_path / "rows"), state, "which --state-out names, is not a state"),
    ):
        output = dynamics365("export", sandbox.settings, "team", "--to", to, *arguments)
        assert output.status == 1, to
        assert words in output.refusal(), to
        assert "not-a-real-secret" not in output.log
    output = dynamics365("export", sandbox.settings, "--to", str(tmp_path / "rows"))
    assert output.refusal() == "No table is named: name tables, or set tables."


def test_destination_without_its_extra_names_the_extra() -> None:
    if not PLAIN.exists():
        pytest.skip("no environment without extras: run `make .venv-plain/installed`")
    for to, extra in (
        ("rows", "arrow"),
        ("delta:rows", "delta"),
        ("duckdb:rows", "duckdb"),
        ("postgresql://localhost/rows", "postgresql"),
    ):
        output = dynamics365("export", {}, "--to", to, program=(str(PLAIN), *FORKED))
        assert f'pip install "tap-dynamics365[{extra}]"' in output.refusal()


def test_terminal_shows_a_bar_while_rows_are_exported(service: Sandbox, tmp_path: Path) -> None:
    service.fault(r"/contacts\?", skip=2, count=1, delay_ms=2_500)
    place = Place("parquet", tmp_path)
    own, terminal = pty.openpty()
    settings = {**service.settings, "fetch_size": 100, "max_parallel_requests": 1}
    with started(settings, place, tmp_path, "contact", output=terminal) as process:
        os.close(terminal)
        shown = b""
        while process.poll() is None or b"Sent" not in shown:
            try:
                shown += os.read(own, 4096)
            except OSError:
                break
    os.close(own)
    text = shown.decode()
    assert "contact: 200 rows, " in text
    assert "Sent 441 rows in " in text
    assert f"To: {place.folder / 'files'}" in text
