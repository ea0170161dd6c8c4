"""Smoke test of an installed tap on any system: `python -m tests.project.smoke`.

It calls the program `tap-dynamics365` as a user does, and reads all rows of a local Dynamics 365.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

from sandbox import client

ROWS = 500
SECONDS = 120
# The program of the same environment, if it has one.
PROGRAM = which("tap-dynamics365", path=Path(sys.executable).parent) or "tap-dynamics365"


def tap(*arguments: str | Path) -> str:
    """Run the tap.

    Args:
        arguments: Its command line.

    Returns:
        Its standard output.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    done = subprocess.run(  # noqa: S603  - our own program
        [PROGRAM, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        timeout=SECONDS,
        check=True,
    )
    return done.stdout


def selected_by_default(catalog: dict[str, Any]) -> set[str]:
    """Return the streams that a run reads if nobody selects any.

    Args:
        catalog: What discovery printed.
    """
    return {
        stream["tap_stream_id"]
        for stream in catalog["streams"]
        for entry in stream["metadata"]
        if not entry["breadcrumb"] and entry["metadata"].get("selected-by-default", True)
    }


def main() -> None:
    """Print version and settings, discover the tables, and read all rows."""
    sys.stdout.write(tap("--version"))
    described = json.loads(tap("--about", "--format=json"))
    sys.stdout.write(f"{len(described['settings']['properties'])} settings\n")
    with TemporaryDirectory() as folder, client.running(rows=ROWS) as service:
        config = Path(folder, "config.json")
        config.write_text(json.dumps(service.settings), encoding="utf-8")
        catalog = Path(folder, "catalog.json")
        catalog.write_text(tap("--config", config, "--discover"), encoding="utf-8")
        lines = tap("--config", config, "--catalog", catalog).splitlines()
        messages = [json.loads(line) for line in lines]
        read = Counter(each["stream"] for each in messages if each["type"] == "RECORD")
        stored = {table["name"]: table["rows"] for table in service.tables()}
        selected = selected_by_default(json.loads(catalog.read_text(encoding="utf-8")))
        expected = {name: stored[name] for name in selected if stored[name]}
    sys.stdout.write(f"{read.total()} rows of {len(read)} tables\n")
    if not read or read != expected:
        sys.exit(f"The service has other rows than the tap sent: {expected}, {dict(read)}.")


if __name__ == "__main__":
    main()
