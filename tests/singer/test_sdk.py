"""The standard tests of the Meltano SDK, and its features."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.tap import EXECUTABLE, Message, Tap, in_one_mode, reads, select
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox

pytestmark = in_one_mode

SUITE = """
import json, os
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from tap_dynamics365.tap import TapDynamics365
TestTap = get_tap_test_class(
    TapDynamics365,
    config=json.loads(os.environ["SETTINGS"]),
    suite_config=SuiteConfig(max_records_limit=20),
)
"""


def test_sdk_standard_tests_pass(
    sandbox: Sandbox, tap_for: Callable[..., Tap], tmp_path: Path
) -> None:
    """They make their cases from what the tap discovers: in a run of pytest of their own."""
    tap = tap_for(sandbox, tables=["team", "audit", "new_größe", "new_measurement"])
    (tmp_path / "test_suite.py").write_text(SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_suite.py"],
        cwd=tmp_path,
        env={"SETTINGS": json.dumps(tap.settings), "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    passed = int(done.stdout.splitlines()[-1].split(" passed")[0])
    assert passed > 40


def test_stream_maps_rename_derive_filter_and_leave_out(tap: Tap, catalog: Message) -> None:
    maps = {
        "team": {
            "__alias__": "groups",
            "loud": "name.upper()",
            "fingerprint": "md5(name)",
            "description": None,
        },
        "audit": {"__filter__": "action == 2"},
        "product": "__NULL__",
    }
    chosen = select(catalog, {"team": None, "audit": None, "product": None})
    plain = tap.sync(catalog=chosen)
    run = tap.but(stream_maps=maps).sync(catalog=chosen)
    assert set(run.schemas) == {"groups", "audit"}
    for before, after in zip(plain.records("team"), run.records("groups"), strict=True):
        assert after["loud"] == before["name"].upper()
        assert len(after["fingerprint"]) == 32
        assert "description" not in after
        assert after["modifiedon"] == before["modifiedon"]
    expected = [row for row in plain.records("audit") if row["action"] == 2]
    assert 0 < len(expected) < plain.counts["audit"]
    assert run.records("audit") == expected
    assert run.state == plain.state


def test_flattening_leaves_flat_tables_as_they_are(tap: Tap, catalog: Message) -> None:
    chosen = select(catalog, {"team": None})
    flat = tap.but(flattening_enabled=True, flattening_max_depth=2).sync(catalog=chosen)
    assert flat.records("team") == tap.sync(catalog=chosen).records("team")


def test_activate_version_messages_are_for_full_tables(tap: Tap, catalog: Message) -> None:
    chosen = select(catalog, {"team": None, "bulkdeletefailure": None})
    run = tap.but(emit_activate_version_messages=True).sync(catalog=chosen)
    versions = {m["stream"]: m["version"] for m in run.messages if m["type"] == "ACTIVATE_VERSION"}
    assert set(versions) == {"bulkdeletefailure"}
    records = [m for m in run.messages if m["type"] == "RECORD"]
    own = [m for m in records if m["stream"] == "bulkdeletefailure"]
    assert {m["version"] for m in own} == {versions["bulkdeletefailure"]}
    without = tap.sync(catalog=chosen)
    assert not [m for m in without.messages if m["type"] == "ACTIVATE_VERSION"]


def test_batch_config_does_not_change_what_is_sent(
    tap: Tap, catalog: Message, tmp_path: Path
) -> None:
    batch = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": tmp_path.as_uri()},
    }
    run = tap.but(batch_config=batch).sync(catalog=select(catalog, {"team": None}))
    assert {m["type"] for m in run.messages} == {"SCHEMA", "RECORD", "STATE"}
    assert not list(tmp_path.iterdir())


def test_connection_test_requests_one_row_of_each_table(service: Sandbox, tap: Tap) -> None:
    run = tap.but(tables=["account", "team", "teammembership"]).run("--test")
    assert run.status == 0, run.log
    assert all(message["type"] != "BATCH" for message in run.messages)
    assert {r["path"].rpartition("/")[2] for r in reads(service.requests())} == {
        "accounts",
        "teams",
        "teammemberships",
    }


def test_schema_test_sends_schemas_and_no_rows(service: Sandbox, tap: Tap) -> None:
    run = tap.but(tables=["account", "team"]).run("--test=schema")
    assert run.status == 0, run.log
    assert [message["type"] for message in run.messages] == ["SCHEMA", "SCHEMA"]
    assert not reads(service.requests())


def test_connection_test_fails_if_sign_in_is_refused(tap: Tap) -> None:
    run = tap.but(client_secret="a wrong one").run("--test")  # noqa: S106 - invented
    assert "AADSTS7000215" in run.refusal()


@pytest.mark.parametrize("command", ["--about", "--version", "--help"])
def test_installed_command_is_the_module(tap: Tap, command: str) -> None:
    program = Path(sys.executable).with_name("tap-dynamics365")
    installed = replace(tap, command=(str(program),)).run(command)
    module = replace(tap, command=EXECUTABLE).run(command)
    assert installed.status == module.status == 0
    assert "tap-dynamics365" in installed.output
    if command != "--help":
        assert installed.output == module.output


def test_settings_are_read_from_the_environment(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    variables = {f"TAP_DYNAMICS365_{k.upper()}": str(v) for k, v in tap.settings.items()}
    run = Tap({"fetch_size": 50}, environment=variables).run(
        "--config=ENV", catalog=select(catalog, {"team": None})
    )
    assert run.status == 0, run.log
    assert run.counts == {"team": len(service.rows("team"))}
