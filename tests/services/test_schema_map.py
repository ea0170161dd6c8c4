"""Schema map: what it costs, and when it is refreshed."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from tap_dynamics365.services.dataverse import definitions
from tap_dynamics365.services.schema_map import SchemaMap
from tests.services.dataverse.test_definitions import connected
from tests.tap import Message, Run, Tap, in_one_mode

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.client import Sandbox
    from tap_dynamics365.services.table_definition import Definitions

FUNCTION = "RetrieveMetadataChanges"
MADE = ["token", "systemusers", FUNCTION, "$metadata"]
UNCHANGED = ["token", FUNCTION]
CHANGED = [*UNCHANGED, FUNCTION]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the description is kept, in a folder that is not there yet."""
    return tmp_path / "kept" / "map.json"


@pytest.fixture
def kept(service: Sandbox, path: Path) -> Tap:
    """The tap with a file for the description of the session's Dynamics 365."""
    return Tap({**service.settings, "schema_map": str(path)})


def discover(service: Sandbox, tap: Tap) -> tuple[list[str], Run]:
    """Discover, and tell what was asked for."""
    service.clear_requests()
    run = tap.run("--discover")
    names = [r["path"].rpartition("/")[2].partition("(")[0] for r in service.requests()]
    return names, run


def catalog(run: Run) -> Message:
    """The catalog that was discovered."""
    assert run.status == 0, run.log
    found: Message = json.loads(run.output)
    return found


def test_schema_map_of_an_unchanged_service_costs_one_small_request(
    service: Sandbox, kept: Tap, path: Path
) -> None:
    asked, first = discover(service, kept)
    assert asked == MADE
    assert catalog(first) == kept.but(schema_map=None).discover()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [*path.parent.iterdir()] == [path]
    written = path.stat().st_mtime_ns
    asked, second = discover(service, kept)
    assert asked == UNCHANGED
    assert second.output == first.output
    assert path.stat().st_mtime_ns == written
    assert not second.logged("WARNING")


def test_schema_map_is_used_by_a_sync_without_a_catalog(service: Sandbox, kept: Tap) -> None:
    some = kept.but(tables=["team"])
    some.discover()
    service.clear_requests()
    run = some.sync()
    assert run.records("team")
    asked = [request["path"].rpartition("/")[2] for request in service.requests()]
    assert "$metadata" not in asked


def test_schema_map_serves_any_selection_of_tables(service: Sandbox, kept: Tap) -> None:
    kept.but(tables=["team"]).discover()
    asked, run = discover(service, kept.but(tables=["ACCOUNT", "new_gr*"]))
    assert asked == UNCHANGED
    names = {stream["tap_stream_id"] for stream in catalog(run)["streams"]}
    assert names == {"account", "new_größe"}


def by_name(found: Definitions) -> dict[str, object]:
    """Definitions of tables and columns by name, because the order of columns is not fixed."""
    return {
        name: [replace(table, columns=()), {column.name: column for column in table.columns}]
        for name, table in found.tables.items()
    }


def in_file(path: Path) -> dict[str, object]:
    """The definitions that are kept."""
    return by_name(msgspec.json.decode(path.read_bytes(), type=SchemaMap).definitions)


def test_schema_map_with_changes_is_the_same_as_a_full_read(
    changing_sandbox: Sandbox, path: Path
) -> None:
    service = changing_sandbox
    log_based = {"schema_map": str(path), "replication_method": "LOG_BASED"}
    tap = Tap({**service.settings, **log_based})
    tap.discover()
    service.add_column("account", "new_size", "Edm.Int32")
    service.add_column("account", "new_since", "Edm.DateTimeOffset")
    service.retype_column("contact", "telephone1", "Edm.Decimal")
    service.drop_column("account", "telephone2")
    service.relabel_column("contact", "firstname", "Given Name", "Rufname")
    service.drop_table("new_project")
    service.add_table("new_thing")
    service.track_changes("lead", on=False)
    service.add_option("lead", "leadqualitycode", 4, "Icy", "Eisig")
    asked, run = discover(service, tap)
    assert asked == CHANGED
    found = catalog(run)
    assert found == tap.but(schema_map=None).discover()
    assert in_file(path) == by_name(definitions.read(connected(service)))
    text = json.dumps(found)
    assert "Given Name" in text
    assert "new_thing" in text
    assert '"new_project"' not in text

    # The new content is kept, and later changes are applied to it.
    assert discover(service, tap)[1].output == run.output
    service.drop_column("account", "new_since")
    service.retype_column("account", "new_size", "Edm.Boolean")
    service.drop_table("new_thing")
    asked, run = discover(service, tap)
    assert asked == CHANGED
    assert catalog(run) == tap.but(schema_map=None).discover()


def test_table_that_was_created_again_replaces_the_old_one(
    changing_sandbox: Sandbox, path: Path
) -> None:
    tap = Tap({**changing_sandbox.settings, "schema_map": str(path)})
    changing_sandbox.add_table("new_thing")
    tap.discover()
    changing_sandbox.add_column("new_thing", "new_old")
    changing_sandbox.drop_column("new_thing", "new_old")
    changing_sandbox.add_column("new_thing", "new_new", "Edm.Int64")
    assert tap.discover() == tap.but(schema_map=None).discover()


@pytest.mark.parametrize("word", ["NotExist", "notexist", "No", "NO"])
def test_not_exist_and_no_with_a_file_send_no_request(
    changing_sandbox: Sandbox, path: Path, word: str
) -> None:
    tap = Tap({**changing_sandbox.settings, "schema_map": str(path)})
    before = tap.discover()
    changing_sandbox.add_column("account", "new_size", "Edm.Int32")
    asked, run = discover(changing_sandbox, tap.but(create_map=word))
    assert asked == []
    assert catalog(run) == before


def test_not_exist_without_a_file_creates_it(service: Sandbox, kept: Tap) -> None:
    assert discover(service, kept.but(create_map="NotExist"))[0] == MADE
    assert discover(service, kept.but(create_map="NotExist"))[0] == []


def test_no_without_a_file_fails_in_one_sentence(service: Sandbox, kept: Tap, path: Path) -> None:
    asked, run = discover(service, kept.but(create_map="No"))
    assert asked == []
    sentence = run.refusal()
    assert "create_map is No" in sentence
    assert str(path) in sentence
    assert not path.exists()


def test_missing_definitions_are_requested_until_they_come(
    changing_sandbox: Sandbox, path: Path
) -> None:
    tap = Tap({**changing_sandbox.settings, "schema_map": str(path), "tables": ["team"]})
    changing_sandbox.configure(no_metadata_changes=501)
    changing_sandbox.fault("EntityDefinitions", status=403, code="0x80040220", count=None)
    for _ in range(2):
        run = discover(changing_sandbox, tap)[1]
        assert any("does not provide table definitions" in text for text in run.logged("WARNING"))
    changing_sandbox.configure(no_metadata_changes=0)
    assert discover(changing_sandbox, tap)[0] == MADE
    assert tap.discover() == tap.but(schema_map=None).discover()


def test_force_new_reads_everything(service: Sandbox, kept: Tap) -> None:
    before = kept.discover()
    asked, run = discover(service, kept.but(create_map="forcenew"))
    assert asked == MADE
    assert catalog(run) == before
    assert discover(service, kept)[0] == UNCHANGED


@pytest.mark.parametrize("word", ["Session", "session"])
def test_session_keeps_nothing(service: Sandbox, kept: Tap, path: Path, word: str) -> None:
    asked, _ = discover(service, kept.but(create_map=word))
    assert asked == ["token", "$metadata", FUNCTION]
    assert not path.exists()


@in_one_mode
@pytest.mark.parametrize("word", ["OnChange", "NotExist", "ForceNew", "Session"])
def test_missing_schema_map_setting_keeps_nothing(service: Sandbox, tap: Tap, word: str) -> None:
    asked, run = discover(service, tap.but(create_map=word, tables=["team"]))
    assert asked == ["token", "$metadata", FUNCTION]
    assert catalog(run)


@in_one_mode
@pytest.mark.parametrize(("word", "named"), [("No", "schema_map"), ("Sometimes", "create_map")])
def test_settings_that_contradict_each_other_are_refused_in_one_sentence(
    tap: Tap, word: str, named: str
) -> None:
    assert f"Setting {named}" in tap.but(create_map=word).run("--discover").refusal()


def damaged(text: str) -> str:
    """A file that broke off."""
    return text[: len(text) // 2]


def foreign(text: str) -> str:
    """The file of another service."""
    return text.replace("127.0.0.1", "localhost", 1)


def younger(text: str) -> str:
    """A file that a later version of the tap wrote."""
    return text.replace('"format":4', '"format":5', 1)


def older(text: str) -> str:
    """A file of the version of the tap that knew no navigation properties."""
    return text.replace('"format":4', '"format":3', 1)


SPOILT: dict[str, tuple[Any, str, str]] = {
    "damaged": (damaged, "WARNING", "damaged"),
    "no text": (lambda text: text.replace("Account", "\xff\xfe"), "WARNING", "damaged"),
    "empty": (lambda _: "", "WARNING", "damaged"),
    "not its own": (lambda _: '{"format":4,"service_url":7}', "WARNING", "damaged"),
    "foreign": (foreign, "WARNING", "another service (http://localhost"),
    "younger": (younger, "INFO", "another version"),
    "older": (older, "INFO", "another version"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_schema_map_that_is_not_usable_is_reported_and_replaced(
    service: Sandbox, kept: Tap, path: Path, name: str
) -> None:
    spoil, level, words = SPOILT[name]
    before = kept.discover()
    path.write_bytes(spoil(path.read_text()).encode("latin-1", "ignore"))
    asked, run = discover(service, kept)
    assert asked == MADE
    assert catalog(run) == before
    assert [line for line in run.logged(level) if words in line and str(path) in line]
    assert discover(service, kept)[0] == UNCHANGED


def test_schema_map_that_has_expired_is_reported_and_replaced(
    changing_sandbox: Sandbox, path: Path
) -> None:
    tap = Tap({**changing_sandbox.settings, "schema_map": str(path)})
    before = tap.discover()
    changing_sandbox.expire_version_stamps()
    asked, run = discover(changing_sandbox, tap)
    assert asked == ["token", FUNCTION, *MADE[1:]]
    assert catalog(run) == before
    assert "no longer has the changes" in run.log
    assert discover(changing_sandbox, tap)[0] == UNCHANGED


FOREIGN: dict[str, bytes] = {
    "the driver's": b"\x00\x02\xac\xed map",
    "text": b"# notes\n",
    "JSON": b'{"service_url": "https://invented.example/", "client_secret": "invented"}',
    "a list": b"[1]",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN.keys())
def test_schema_map_of_another_program_is_refused_and_kept(
    service: Sandbox, kept: Tap, path: Path, content: bytes
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    word = "ForceNew" if content.startswith(b"{") else "OnChange"
    asked, run = discover(service, kept.but(create_map=word))
    assert f"schema_map {path}" in run.refusal()
    assert "name another file" in run.refusal()
    assert "invented" not in run.log
    assert set(asked) <= {"token"}
    assert path.read_bytes() == content


@in_one_mode
def test_schema_map_of_another_program_is_refused_before_a_sync(tap: Tap, tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_bytes(FOREIGN["text"])
    described = tap.but(metadata_streams=True, tables=["team"])
    found = described.discover()
    run = described.but(schema_map=str(path)).run(catalog=found)
    assert f"schema_map {path}" in run.refusal()
    assert run.output == ""
    assert path.read_bytes() == FOREIGN["text"]


def test_schema_map_that_is_a_device_is_left_unchanged(
    service: Sandbox, kept: Tap, tmp_path: Path
) -> None:
    device = tmp_path / "pipe"
    os.mkfifo(device)
    asked, run = discover(service, kept.but(schema_map=str(device)))
    assert asked == MADE
    assert catalog(run)
    assert device.is_fifo()
    (warning,) = run.logged("WARNING")
    assert "can't be read" in warning


def test_schema_map_that_is_a_folder_causes_a_warning(
    service: Sandbox, kept: Tap, path: Path
) -> None:
    path.mkdir(parents=True)
    asked, run = discover(service, kept)
    assert asked == MADE
    assert catalog(run)
    (warning,) = run.logged("WARNING")
    assert "can't be read" in warning
    assert [*path.parent.iterdir()] == [path]


def test_schema_map_that_cannot_be_written_causes_a_warning(
    service: Sandbox, kept: Tap, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.symlink_to("/proc/self")
    asked, run = discover(service, kept.but(schema_map=str(folder / "map.json")))
    assert asked == MADE
    assert catalog(run)
    (warning,) = run.logged("WARNING")
    assert "schema_map" in warning
    assert "can't be written" in warning


def test_schema_map_that_is_a_link_stays_a_link(
    service: Sandbox, kept: Tap, tmp_path: Path
) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "elsewhere.json")
    discover(service, kept.but(schema_map=str(link)))
    assert link.is_symlink()
    assert json.loads((tmp_path / "elsewhere.json").read_text())["format"] == 4


def test_schema_map_without_the_function_uses_the_version_of_the_data_model(
    changing_sandbox: Sandbox, path: Path
) -> None:
    service = changing_sandbox
    service.configure(no_metadata_changes=501)
    tap = Tap({**service.settings, "schema_map": str(path)})
    made = ["systemusers", FUNCTION, "EntityDefinitions", "$batch", "$metadata"]
    assert discover(service, tap)[0] == ["token", *made]
    assert discover(service, tap)[0] == ["token", "systemusers"]
    service.add_column("account", "new_size", "Edm.Int32")
    asked, run = discover(service, tap)
    assert asked == ["token", "systemusers", *made]
    assert '"new_size"' in run.output
    assert discover(service, tap)[0] == ["token", "systemusers"]
    # The function is there now: all is read once more when something changes.
    service.configure(no_metadata_changes=0)
    service.add_column("account", "new_more", "Edm.Int32")
    assert discover(service, tap)[0] == ["token", "systemusers", *MADE[1:]]
    assert discover(service, tap)[0] == UNCHANGED


def test_schema_map_whose_changes_are_refused_is_read_in_full(
    changing_sandbox: Sandbox, path: Path
) -> None:
    tap = Tap({**changing_sandbox.settings, "schema_map": str(path)})
    before = tap.discover()
    changing_sandbox.fault(FUNCTION, status=400)
    asked, run = discover(changing_sandbox, tap)
    assert asked == ["token", FUNCTION, *MADE[1:]]
    assert catalog(run) == before


def test_schema_map_in_a_connection_url_leaves_the_drivers_file_alone(
    service: Sandbox, path: Path
) -> None:
    path.parent.mkdir()
    path.write_bytes(FOREIGN["the driver's"])
    url = (
        f"jdbc:datadirect:dynamics365:ServiceURL={service.service_url};SchemaMap={path};"
        "CreateMap=notExist;"
    )
    rest = {name: value for name, value in service.settings.items() if name != "service_url"}
    tap = Tap({**rest, "connection_url": url})
    assert discover(service, tap)[0] == MADE
    assert discover(service, tap)[0] == []
    assert path.read_bytes() == FOREIGN["the driver's"]
    own = path.with_name(f"{path.name}.tap-dynamics365.json")
    assert {*path.parent.iterdir()} == {path, own}
    # Named in a setting of its own, the file is the tap's.
    assert discover(service, tap.but(schema_map=str(own)))[0] == []
