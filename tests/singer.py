"""The tap as its users run it: a process that writes Singer messages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
SECONDS = 120

Message = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """What a run of the tap left behind.

    Args:
        status: Its exit code.
        output: Its standard output.
        log: Its standard error.
    """

    status: int
    output: str
    log: str

    @property
    def messages(self) -> list[Message]:
        """The messages in order; numbers with a fraction as Decimal."""
        return [json.loads(line, parse_float=Decimal) for line in self.output.splitlines()]

    def records(self, stream: str) -> list[Message]:
        """The records of one stream in order."""
        return [
            message["record"]
            for message in self.messages
            if message["type"] == "RECORD" and message["stream"] == stream
        ]

    @property
    def counts(self) -> dict[str, int]:
        """How many records of each stream."""
        counts: dict[str, int] = {}
        for message in self.messages:
            if message["type"] == "RECORD":
                counts[message["stream"]] = counts.get(message["stream"], 0) + 1
        return counts

    @property
    def schemas(self) -> dict[str, Message]:
        """The SCHEMA message of each stream."""
        return {m["stream"]: m for m in self.messages if m["type"] == "SCHEMA"}

    @property
    def state(self) -> Message:
        """The last state."""
        states = [message["value"] for message in self.messages if message["type"] == "STATE"]
        return states[-1] if states else {}


@dataclass
class Tap:
    """The tap with its settings.

    Args:
        settings: What goes into the file that `--config` names.
        environment: Variables added to its environment.
    """

    settings: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)

    def start(
        self, folder: Path, *arguments: str, **files: Message | None
    ) -> subprocess.Popen[bytes]:
        """Start it, with a file for each option that names one: `catalog`, `state`."""
        command = [sys.executable, "-m", "tap_dynamics365"]
        for option, content in {"config": self.settings, **files}.items():
            if content is not None:
                path = folder / f"{option}.json"
                path.write_text(json.dumps(content))
                command += [f"--{option}", str(path)]
        return subprocess.Popen(  # noqa: S603 - our own program
            [*command, *arguments],
            cwd=folder,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, **files: Message | None) -> Run:
        """Run it to its end, whichever that is."""
        with TemporaryDirectory() as folder:
            process = self.start(Path(folder), *arguments, **files)
            output, log = process.communicate(timeout=SECONDS)
        return Run(process.returncode, output.decode(), log.decode())

    def sync(self, **files: Message | None) -> Run:
        """Run a sync that has to succeed."""
        run = self.run(**files)
        assert run.status == 0, run.log
        return run

    def discover(self) -> Message:
        """Discover the catalog."""
        run = self.run("--discover")
        assert run.status == 0, run.log
        catalog: Message = json.loads(run.output)
        return catalog


def select(catalog: Message, selection: dict[str, list[str] | None]) -> Message:
    """Select streams in a catalog, and of each the columns named, or all.

    Args:
        catalog: What discovery gave; it is left as it is.
        selection: Names of columns by stream; None for all.
    """
    chosen: Message = json.loads(json.dumps(catalog))
    for stream in chosen["streams"]:
        columns = selection.get(stream["tap_stream_id"])
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] in selection
            elif columns is not None:
                entry["metadata"]["selected"] = entry["breadcrumb"][-1] in columns
    return chosen


def entry(catalog: Message, stream: str) -> Message:
    """Find the entry of a stream in a catalog."""
    return next(e for e in catalog["streams"] if e["tap_stream_id"] == stream)
