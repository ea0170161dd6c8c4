"""`dynamics365 check`: what it says of settings, connection and tables, and its exit code."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from tests.commands.program import dynamics365
from tests.login.program import variables
from tests.tap import Tap, own_metadata, reads, select

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.central_client import CentralSandbox
    from sandbox.client import Sandbox
    from sandbox.finance_client import FinanceSandbox

TABLES = ["account", "team", "contact"]
CONNECTION = ["settings", "address", "clock", "sign-in", "service"]
# Every service has these checks, and Dataverse knows which rows the account may read.
BASE = [*CONNECTION, "metadata", "selection", "tables"]
ALL = [*BASE, "rows"]
REMEDY = "Give the account a role that reads them at the level Organization."


@pytest.fixture
def settings(service: Sandbox) -> dict[str, Any]:
    """The settings of the tap for some tables."""
    return {**service.settings, "tables": TABLES}


def test_check_of_a_connection_that_works_names_each_check(
    service: Sandbox, settings: dict[str, Any]
) -> None:
    output = dynamics365("check", settings)
    assert output.status == 0, output.printed
    assert output.log == ""
    assert output.marks == dict.fromkeys(ALL, "✓")
    said = {name: words for name, (_, words) in output.checks.items()}
    assert said["settings"] == f"For Dataverse at {service.service_url}."
    assert said["sign-in"].startswith("As ada@sandbox.onmicrosoft.com, with refresh_token. ")
    assert said["sign-in"].endswith(
        f" The access token is valid for 59 minutes. Tenant: {service.announced['tenant_id']}."
    )
    assert said["service"].startswith("Dataverse v9.2 answers. User: Ada Sandbox (")
    assert said["selection"] == "3 tables selected."
    assert said["tables"] == "3 of 3 tables can be read."
    assert said["rows"] == "All rows of 3 tables can be read."


def test_check_asks_each_table_for_one_row(service: Sandbox, settings: dict[str, Any]) -> None:
    dynamics365("check", settings)
    asked = [r for r in reads(service.requests()) if "headers" in r and "prefer" in r["headers"]]
    rows = [r for r in asked if r["headers"]["prefer"].startswith("odata.maxpagesize=1,")]
    assert {r["path"].rpartition("/")[2] for r in rows} >= {"accounts", "teams"}
    assert len(rows) == len(TABLES)


@pytest.mark.parametrize(("arguments", "tried"), [((), "20 of 20"), (("--all",), "30 of 30")])
def test_check_tries_all_tables_when_asked_to(
    service: Sandbox, arguments: tuple[str, ...], tried: str
) -> None:
    output = dynamics365("check", service.settings, *arguments)
    words = output.checks["tables"][1]
    assert words.startswith(f"{tried} tables can be read.")
    assert ("10 more tables are tried with dynamics365 check --all." in words) is not arguments


def test_check_in_json_has_the_same_checks(settings: dict[str, Any], service: Sandbox) -> None:
    service.configure(forbidden_tables=["team"])
    text, output = dynamics365("check", settings), dynamics365("check", settings, "--json")
    found = json.loads(output.printed)
    assert [each["name"] for each in found] == [*text.checks] == [*BASE, "table team", "rows"]
    assert all([*each] == ["name", "status", "message", "remedy"] for each in found)
    assert {each["name"]: each["status"] for each in found if each["status"] != "ok"} == {
        "tables": "warning",
        "table team": "warning",
    }
    assert all((each["remedy"] is None) is (each["status"] == "ok") for each in found)
    assert output.status == text.status == 0


def test_check_stops_at_a_wrong_setting_and_sends_nothing(
    service: Sandbox, settings: dict[str, Any]
) -> None:
    output = dynamics365("check", {**settings, "service_urll": "x", "client_id": None})
    assert output.status == 1
    assert output.marks == {"settings": "✗", "address": "–", **dict.fromkeys(CONNECTION[2:], "–")}
    assert output.checks["settings"][1].endswith("See docs/settings.md.")
    assert output.checks["address"][1] == "Not run, because the check settings failed."
    assert output.checks["service"][1] == "Not run, because the check sign-in was not run."
    assert not service.requests()


def test_check_warns_of_an_unknown_setting(settings: dict[str, Any]) -> None:
    output = dynamics365("check", {**settings, "something_invented": "x"})
    assert output.marks["settings"] == "!"
    assert "something_invented" in output.checks["settings"][1]
    assert output.status == 0


def test_check_warns_of_a_name_that_no_table_has(settings: dict[str, Any]) -> None:
    output = dynamics365("check", {**settings, "tables": ["acount", "team"]})
    assert output.status == 0
    assert output.log == ""
    assert output.checks["metadata"] == (
        "!",
        (
            "1 table found. No table matches 'acount' of the setting tables. Did you mean account? "
            "Check service_url and the setting tables."
        ),
    )


def test_check_says_of_how_many_tables_the_rights_are_not_known(settings: dict[str, Any]) -> None:
    output = dynamics365("check", {**settings, "tables": ["team", "accountleads"]})
    assert output.checks["rows"] == (
        "✓",
        "All rows of 1 table can be read. The service does not say it of 1 more.",
    )


def test_check_says_that_the_address_is_not_reached(settings: dict[str, Any]) -> None:
    output = dynamics365("check", {**settings, "service_url": "http://127.0.0.1:9/api/data/v9.2/"})
    assert output.status == 1
    assert output.marks == {
        **dict.fromkeys(CONNECTION, "–"),
        "settings": "✓",
        "address": "✗",
    } | dict.fromkeys(ALL[5:], "–")
    assert "The service can't be reached: " in output.checks["address"][1]


def test_check_refused_by_the_sign_in_host_says_why_without_the_secret(
    settings: dict[str, Any],
) -> None:
    secret = "an-invented-client-secret"  # noqa: S105 - it is invented
    wrong = {**settings, "refresh_token": None, "client_secret": secret}
    output = dynamics365("check", wrong)
    assert output.status == 1
    assert output.marks["sign-in"] == "✗"
    assert "AADSTS7000215" in output.checks["sign-in"][1]
    assert output.marks["service"] == output.marks["tables"] == "–"
    assert secret not in output.printed + output.log


def test_check_names_the_end_of_an_access_token(settings: dict[str, Any]) -> None:
    for_token = {"service_url": settings["service_url"], "tables": TABLES}
    token = jwt.encode({"exp": 1_000_000_000}, "an-invented-key-of-thirty-two-bytes", "HS256")
    expired = dynamics365("check", {**for_token, "access_token": token})
    assert expired.marks["sign-in"] == "✗"
    assert "expired at 2001-09-09" in expired.checks["sign-in"][1]
    unknown = dynamics365("check", {**for_token, "access_token": "an-invented-token"})
    assert unknown.checks["sign-in"] == (
        "✓",
        "As an account that the access token does not name, with access_token.",
    )
    assert unknown.marks["service"] == "✗"
    assert "an-invented-token" not in unknown.printed


def test_check_warns_of_a_clock_that_differs(service: Sandbox, settings: dict[str, Any]) -> None:
    before = service.configure(clock_offset=7_200)
    try:
        output = dynamics365("check", settings)
    finally:
        service.configure(**before)
    mark, words = output.checks["clock"]
    assert mark == "!"
    assert " s behind that of the service. Set the clock" in words
    assert output.status == 0


def test_check_warns_of_tables_that_may_not_be_read(
    service: Sandbox, settings: dict[str, Any]
) -> None:
    service.configure(forbidden_tables=["team"])
    output = dynamics365("check", settings)
    assert output.status == 0
    assert output.checks["tables"][1].startswith("2 of 3 tables can be read.")
    assert output.marks["table team"] == "!"
    assert "403" in output.checks["table team"][1]


@pytest.mark.parametrize(
    ("depths", "words"),
    [
        (
            {"prvReadAccount": "Basic"},
            "1 of 3 tables gives only some rows: account (rows of the user, prvReadAccount).",
        ),
        (
            {"prvReadActivity": "Local"},
            "2 of 3 tables give only some rows: "
            + ", ".join(
                f"{name} (rows of the business unit, prvReadActivity)" for name in ("email", "task")
            )
            + ".",
        ),
    ],
)
def test_check_warns_of_tables_that_give_only_some_rows(
    service: Sandbox, settings: dict[str, Any], depths: dict[str, str], words: str
) -> None:
    service.configure(read_depths=depths)
    chosen = {**settings, "tables": ["account", "email", "task"]}
    output = dynamics365("check", chosen)
    assert (output.status, output.marks["tables"]) == (0, "✓")
    assert output.checks["rows"] == ("!", f"{words} {REMEDY}")


@pytest.mark.parametrize(("parent", "mark"), [("another", "!"), (None, "✓")])
def test_check_takes_the_business_units_below_the_root_for_all(
    changing_sandbox: Sandbox, parent: str | None, mark: str
) -> None:
    service = changing_sandbox
    (own,) = (
        user["_businessunitid_value"]
        for user in service.rows("systemuser")
        if user["fullname"] == "Ada Sandbox"
    )
    units = [unit["businessunitid"] for unit in service.rows("businessunit")]
    other = next(unit for unit in units if unit != own)
    service.update("businessunit", own, {"_parentbusinessunitid_value": parent and other})
    service.configure(read_depths={"prvReadAccount": "Deep"})
    output = dynamics365("check", {**service.settings, "tables": ["account"]})
    assert output.marks["rows"] == mark
    which = "account (rows of the business unit and those below, prvReadAccount)"
    assert (which in output.checks["rows"][1]) is (mark == "!")


def test_check_asks_for_the_rights_of_all_tables_at_once(
    service: Sandbox, settings: dict[str, Any]
) -> None:
    dynamics365("check", {**settings, "tables": None})
    asked = [request["path"].rpartition("/")[2] for request in service.requests()]
    assert asked.count("Microsoft.Dynamics.CRM.RetrieveUserPrivileges()") == 1
    assert asked.count("EntityDefinitions") == 1


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("RetrieveUserPrivileges", {"status": 403, "code": "0x80040220"}),
        ("RetrieveUserPrivileges", {"status": 404, "code": "0x80060888"}),
        ("EntityDefinitions", {"status": 501}),
    ],
)
def test_check_goes_on_where_the_service_does_not_tell_the_rights(
    service: Sandbox, settings: dict[str, Any], path: str, fault: dict[str, Any]
) -> None:
    service.fault(path, **fault, count=None)
    output = dynamics365("check", settings)
    assert output.status == 0
    mark, words = output.checks["rows"]
    assert mark == "–"
    assert words.startswith("The service does not say which rows the account may read. ")
    assert str(fault["status"]) in words


@pytest.mark.parametrize(
    ("pattern", "replacement", "beginning"),
    [
        # Version 9.0 of the service, on-premises.
        (r',"PrivilegeName":.*?(?=\})', "", "All rows of 3 tables"),
        # Roles of several teams.
        (
            r'\{"Depth":"Global"([^}]*)\}',
            r'{"Depth":"Basic"\1},{"Depth":"Global"\1},{"Depth":"Local"\1}',
            "All rows of 3 tables",
        ),
        ('"Global"', '"RecordFilter"', "3 of 3 tables give only some rows: account (rows that a"),
        ('"Global"', '"Invented"', "3 of 3 tables give only some rows: account (level Invented,"),
        ("^.*$", "{}", "The service does not say which rows the account may read. "),
    ],
)
def test_check_understands_each_form_of_the_rights(
    service: Sandbox, settings: dict[str, Any], pattern: str, replacement: str, beginning: str
) -> None:
    service.fault("RetrieveUserPrivileges", substitute=[(pattern, replacement)], count=None)
    output = dynamics365("check", settings)
    assert output.checks["rows"][1].startswith(beginning)


def test_check_says_nothing_of_rights_that_tables_do_not_have(settings: dict[str, Any]) -> None:
    output = dynamics365("check", {**settings, "tables": ["accountleads"]})
    assert output.checks["rows"] == (
        "–",
        "The service does not say which rows the account may read.",
    )


def test_check_fails_when_no_table_can_be_read(service: Sandbox, settings: dict[str, Any]) -> None:
    service.configure(forbidden_tables=["account", "team"])
    output = dynamics365("check", {**settings, "tables": ["account", "team"]})
    assert (output.status, output.marks["tables"]) == (1, "✗")


def test_check_fails_when_a_table_fails(service: Sandbox, settings: dict[str, Any]) -> None:
    service.fault("/accounts", status=400, count=None)
    output = dynamics365("check", settings)
    assert (output.status, output.marks["table account"]) == (1, "✗")


def test_check_with_a_catalog_tries_its_tables_and_their_change_tracking(
    service: Sandbox,
) -> None:
    catalog = Tap({**service.settings, "tables": ["account", "territory", "team"]}).discover()
    catalog = select(catalog, {"account": None, "territory": None})
    for stream in catalog["streams"]:
        own_metadata(stream)["replication-method"] = "LOG_BASED"
    output = dynamics365("check", service.settings, catalog=catalog)
    assert output.status == 0, output.printed
    assert output.checks["selection"] == ("✓", "2 tables selected.")
    mark, words = output.checks["change tracking"]
    assert mark == "!"
    assert words.startswith("Off for 1 of 2 tables: territory. Turn on change tracking")


# As Notepad and PowerShell 5.1 write them.
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_check_reads_files_in_another_encoding_of_unicode(service: Sandbox, encoding: str) -> None:
    settings = {**service.settings, "tables": ["team"]}
    catalog = Tap(settings).discover()
    output = dynamics365("check", settings, catalog=catalog, encoding=encoding)
    assert output.status == 0, output.log
    assert output.checks["selection"] == ("✓", "1 table selected.")


def test_check_says_that_change_tracking_is_on(settings: dict[str, Any]) -> None:
    wanted = {**settings, "tables": ["account"], "replication_method": "LOG_BASED"}
    output = dynamics365("check", wanted)
    assert output.checks["change tracking"] == (
        "✓",
        "On: 1 table can be replicated LOG_BASED.",
    )


def test_check_fails_when_stream_maps_can_not_be_applied(settings: dict[str, Any]) -> None:
    output = dynamics365("check", {**settings, "stream_maps": {"team": {"name": "upper("}}})
    assert (output.status, output.marks["selection"], output.marks["tables"]) == (1, "✗", "–")
    assert "Setting stream_maps" in output.checks["selection"][1]


def test_check_of_a_token_store_comes_before_the_sign_in(
    service: Sandbox, settings: dict[str, Any], tmp_path: Path
) -> None:
    store = tmp_path / "token.json"
    assert dynamics365("check", {**settings, "token_store": str(store)}).marks == {
        **dict.fromkeys(ALL, "✓"),
        "token_store": "✓",
    }
    store.write_text("something of another program")
    service.clear_requests()
    output = dynamics365("check", {**settings, "token_store": str(store)})
    assert (output.status, output.marks["token_store"]) == (1, "✗")
    assert output.marks["sign-in"] == "–"
    assert not [request for request in service.requests() if "token" in request["path"]]


def test_check_reads_settings_from_the_environment(settings: dict[str, Any]) -> None:
    environment = variables({**settings, "tables": json.dumps(TABLES)})
    for arguments in ((), ("--config=ENV",)):
        output = dynamics365("check", None, *arguments, environment=environment)
        assert output.marks == dict.fromkeys(ALL, "✓")


def test_check_names_marks_that_the_terminal_does_not_know(settings: dict[str, Any]) -> None:
    output = dynamics365(
        "check",
        settings,
        environment={"PYTHONIOENCODING": "ascii"},
        program=(sys.executable, "-m", "tap_dynamics365.commands"),
    )
    assert output.lines[0].startswith("[ok] settings: ")
    assert output.status == 0


def test_check_of_finance_operations_wants_tables(finance: FinanceSandbox) -> None:
    output = dynamics365("check", finance.settings)
    assert (output.status, output.marks["selection"]) == (1, "✗")
    assert "for Finance & Operations, set tables, or pass a catalog" in output.printed
    chosen = dynamics365("check", {**finance.settings, "tables": ["CustomersV3"]})
    assert chosen.status == 0, chosen.printed
    assert chosen.marks == dict.fromkeys(BASE, "✓")


def test_check_of_business_central_says_which_companies_can_be_read(
    central: CentralSandbox,
) -> None:
    chosen = {**central.settings, "tables": ["customers", "items"]}
    output = dynamics365("check", chosen)
    assert output.status == 0, output.printed
    mark, words = output.checks["companies"]
    assert mark == "!"
    assert words.startswith("4 of 5 companies can be read, by the table customers.")
    assert "Not customers of Closed + Secret: " in words
    assert output.checks["tables"] == ("✓", "2 of 2 tables can be read.")


def test_check_of_business_central_fails_when_all_companies_are_closed(
    central: CentralSandbox,
) -> None:
    chosen = {**central.settings, "tables": ["customers"], "companies": ["Closed + Secret"]}
    output = dynamics365("check", chosen)
    assert (output.status, output.marks["companies"], output.marks["tables"]) == (1, "✗", "–")
