"""examples/cron: the script, run with a real target."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.tap import Tap
from tools.meltano import FOREIGN, PLUGINS, Project
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.client import Sandbox

TARGET = PLUGINS / "loaders" / "target-jsonl" / "venv" / "bin"
SECONDS = 120


class Cron:
    """A folder with the script, as a person sets it up.

    Args:
        folder: The folder.
        settings: Settings of the tap.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        shutil.copytree(REPOSITORY / "examples" / "cron", folder)
        self.folder = folder
        lines = [
            f"TAP_DYNAMICS365_{name.upper()}={shlex.quote(str(value))}\n"
            for name, value in settings.items()
        ]
        (folder / ".env").write_text("".join(lines))

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run the script from another folder, as cron does, with the settings of `.env` alone."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        path = os.pathsep.join([str(Path(sys.executable).parent), str(TARGET), own["PATH"]])
        return subprocess.run(  # noqa: S603 - our own script
            [self.folder / "extract.sh"],
            cwd="/",
            env={**own, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows in the output of the target."""
        text = (self.folder / "output" / "account.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def cron(
    changing_sandbox: Sandbox, meltano: Callable[[dict[str, str]], Project], tmp_path: Path
) -> Cron:
    """The script with the settings of a sandbox, and a catalog of one table."""
    if not TARGET.exists():
        meltano({}).run("install", "loader", "target-jsonl")
    settings = {
        **changing_sandbox.settings,
        "fetch_size": 50,
        "max_parallel_requests": 1,
        "ws_retry_count": 0,
    }
    made = Cron(tmp_path / "dynamics365", settings)
    catalog = Tap({**changing_sandbox.settings, "tables": ["account"]}).discover()
    (made.folder / "catalog.json").write_text(json.dumps(catalog))
    return made


def test_script_for_cron_extracts_the_changes_since_its_last_run(
    changing_sandbox: Sandbox, cron: Cron
) -> None:
    accounts = {row["accountid"] for row in changing_sandbox.rows("account")}
    first = cron.run()
    assert first.returncode == 0, first.stderr
    assert {row["accountid"] for row in cron.rows} == accounts
    before = len(cron.rows)
    changed = min(accounts)
    changing_sandbox.update("account", changed, {"name": "Invented Ltd"})
    second = cron.run()
    assert second.returncode == 0, second.stderr
    new = cron.rows[before:]
    assert (changed, "Invented Ltd") in {(row["accountid"], row["name"]) for row in new}
    # The change, and the row at the bookmark.
    assert len(new) == 2


def test_script_for_cron_continues_after_a_failure(changing_sandbox: Sandbox, cron: Cron) -> None:
    accounts = {row["accountid"] for row in changing_sandbox.rows("account")}
    changing_sandbox.fault("/accounts", status=500, skip=2, count=None)
    failed = cron.run()
    assert failed.returncode == 1, failed.stderr
    before = len(cron.rows)
    assert 0 < before < len(accounts)
    changing_sandbox.clear_faults()
    second = cron.run()
    assert second.returncode == 0, second.stderr
    assert {row["accountid"] for row in cron.rows} == accounts
    # It did not begin again.
    assert len(cron.rows) - before < len(accounts)


def test_script_for_cron_does_not_start_while_the_last_run_lasts(cron: Cron) -> None:
    with (cron.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = cron.run()
    assert (run.returncode, run.stdout) == (0, "The last run has not ended yet.\n")
    assert not (cron.folder / "output").exists()
