"""Changes since a file of the project was written: on the page, and in `dynamics365 tables`."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands.program import dynamics365
from tests.configure.client import client_of
from tests.configure.conftest import configuring
from tests.configure.services import rows, ticked
from tests.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.configure.client import Client

# Markup, quotes, an emoji, and text that is written from right to left.
ODD = "<img src=x onerror=alert(1)>\"' & 😀 שלום"
# The tables of the catalog before, and what has changed in it.
TABLES = ["account", "contact", "team", "lead"]
CHANGES: list[dict[str, Any]] = [
    {
        "table": "account",
        "change": "changed",
        "added": ["fax", "revenue"],
        "removed": ["new_gone"],
        "retyped": [["name", "integer", "string"]],
    },
    {"table": "lead", "change": "new"},
    {"table": "new_vanished", "change": "gone", "added": [], "removed": [], "retyped": []},
]


@pytest.fixture(scope="module")
def project(own_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose catalog is of a time when the service was another one."""
    settings = {**own_sandbox.settings, "tables": TABLES, "show_name_columns": True}
    catalog = Tap({**settings, "replication_method": "LOG_BASED"}).discover()
    tables = {stream["tap_stream_id"]: stream for stream in catalog["streams"]}
    account = tables["account"]["schema"]["properties"]
    for column in ("fax", "revenue"):
        del account[column]
    account["new_gone"] = {"type": ["string", "null"]}
    account["name"]["type"] = ["integer", "null"]
    tables["lead"]["tap_stream_id"] = "new_vanished"
    # A stream that describes the service is no table.
    catalog["streams"].append({**tables["team"], "tap_stream_id": "OptionsetMetadata"})
    folder = tmp_path_factory.mktemp("older")
    (folder / "catalog.json").write_text(json.dumps(catalog))
    return folder


@pytest.fixture(scope="module")
def settings(own_sandbox: Sandbox) -> dict[str, Any]:
    """The settings of the project."""
    return {**own_sandbox.settings, "tables": [*TABLES, "new_vanish*"]}


@pytest.fixture(scope="module")
def client(project: Path, settings: dict[str, Any]) -> Iterator[Client]:
    """A browser on the page of the project."""
    with configuring(project, settings) as program:
        opened = client_of(program)
        opened.open()
        yield opened


def test_command_lists_what_is_new_gone_and_of_another_type(
    project: Path, settings: dict[str, Any]
) -> None:
    file = str(project / "catalog.json")
    printed = dynamics365("tables", settings, "--changes", file, "--json").printed
    found = json.loads(printed)
    new = next(each for each in found if each["change"] == "new")
    assert "leadid" in new.pop("added")
    assert (new.pop("removed"), new.pop("retyped")) == ([], [])
    assert found == CHANGES
    written = dynamics365("tables", settings, "account", "--changes", file).lines
    assert written == [
        "~ account",
        "    + fax",
        "    + revenue",
        "    - new_gone",
        "    ~ name: integer → string",
    ]
    refused = dynamics365("tables", settings, "--changes", str(project / "none.json")).refusal()
    assert refused.endswith("none.json does not exist.")
    (project / "other.json").write_text('{"streams": 7}')
    refused = dynamics365("tables", settings, "--changes", str(project / "other.json")).refusal()
    assert refused.endswith("other.json is neither a catalog nor a schema map of this service.")


def test_command_compares_with_a_schema_map_before_it_is_refreshed(
    own_sandbox: Sandbox, tmp_path: Path
) -> None:
    kept = tmp_path / "map.json"
    settings = {**own_sandbox.settings, "tables": ["team"], "schema_map": str(kept)}
    Tap(settings).discover()
    own_sandbox.add_column("team", "new_since")
    arguments = ("tables", settings, "--changes", str(kept))
    assert dynamics365(*arguments).lines == ["~ team", "    + new_since"]
    assert dynamics365(*arguments).lines == ["No table and no column has changed."]
    own_sandbox.drop_column("team", "new_since")


def test_list_shows_what_has_changed(client: Client) -> None:
    page = client.get("/tables")
    assert "changed since catalog.json</option>" in page.text
    lines = rows(page)
    assert [name for name, line in lines.items() if "changed" in line[1].split("\n")[0]] == [
        "account"
    ]
    assert {*rows(client.get("/tables?which=changed"))} == {"account", "lead"}
    changes = client.get("/tables/changes").text
    assert re.findall(r"<li>([+\u2212~]) <bdi>(\w+)</bdi>(.*?)</li>", changes) == [
        ("+", "fax", ""),
        ("+", "revenue", ""),
        ("\u2212", "new_gone", ""),
        ("~", "name", ": integer → string"),
    ]
    assert '<bdi>new_vanished</bdi> <span class="tag">gone</span>' in changes
    assert "OptionsetMetadata" not in changes
    table = client.get("/table?name=account").text
    assert '<th scope="row">fax <span class="tag">new</span>' in table
    assert '<span class="tag">was integer</span>' in table
    assert "1 gone: new_gone" in table


def decide(client: Client, table: str, decision: str) -> list[str]:
    """Take what is new in a table, or leave it out."""
    return client.post("/tables/changes", {"table": table, "decision": decision}).notices


def test_names_and_labels_are_text_wherever_they_come_from(
    own_sandbox: Sandbox, settings: dict[str, Any], tmp_path: Path
) -> None:
    own_sandbox.relabel_column("account", "name", ODD, ODD)
    own_sandbox.add_option("account", "statuscode", 77, ODD, ODD)
    table = {"schema": {"properties": {ODD: {"type": ODD}, "name": {"type": ODD}}}, "metadata": []}
    streams = [{"tap_stream_id": name, **table} for name in ("account", ODD)]
    (tmp_path / "catalog.json").write_text(json.dumps({"streams": streams}))
    with configuring(tmp_path, settings) as program:
        odd = client_of(program)
        odd.open()
        assert odd.post("/tables/rules", {"rules": ODD}).notices[0].endswith(f"{ODD}.")
        paths = ("/tables", "/tables/changes", "/table?name=account", "/table/entry?name=account")
        texts = [odd.get(path).text for path in paths]
        (row,) = own_sandbox.rows("account")[:1]
        own_sandbox.update("account", row["accountid"], {"name": ODD})
        texts.append(odd.get("/table/preview?name=account&values=1").text)
    escaped = html.escape(ODD[:10])
    assert all(escaped in text for text in texts)
    assert not [text for text in texts if "<img" in text]


def test_new_columns_taken_or_left_out_become_rules(client: Client) -> None:
    client.post("/tables/rules", {"rules": "account.*\nnew_vanished.*"})
    assert "<code>new_vanished.*</code>" in client.get("/tables/changes").text
    assert decide(client, "account", "leave") == ["The new columns of account are left out."]
    sent = ticked(client.get("/table?name=account"), "column")
    assert not {"fax", "revenue"} & sent
    assert "name" in sent
    rules = re.search(r'<textarea id="rules"[^>]*>([^<]*)<', client.get("/tables").text)
    assert rules
    assert {"account.*", "!account.fax", "!account.revenue"} <= {*rules[1].split("\n")}
    assert decide(client, "account", "take") == ["The new columns of account are chosen."]
    assert {"fax", "revenue"} <= ticked(client.get("/table?name=account"), "column")
    assert decide(client, "lead", "take") == ["lead is chosen."]
    assert ticked(client.get("/tables"), "table") == {"account", "lead"}
    assert decide(client, "lead", "leave") == ["lead is left out."]
    assert decide(client, "lead", "maybe") == ["Take what is new, or leave it out."]
    client.post("/tables/rules", {"rules": "team.*"})
    assert decide(client, "account", "take") == ["This table is not chosen."]
    for name in ("new_vanished", "team", "<b>"):
        assert decide(client, name, "take") == ["Nothing is new in this table."]
    assert ticked(client.get("/tables"), "table") == {"team"}
