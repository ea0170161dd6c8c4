"""Programs of this project that are compared, and the command of each for a load."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks import tables
from benchmarks.loads import Load, Work
from tools import organisation
from tools.measuring import Command, FailedError
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from sandbox.client import Sandbox

PEERS = Path(__file__).resolve().parent / "peers"
LONG_AGO = "2000-01-01T00:00:00Z"
EXPECTED_SECONDS = 300
Catalog = dict[str, Any]


@dataclass
class Place:
    """Service and folder of a program.

    Attributes:
        service: The service to read from.
        folder: Folder of its configuration files.
        command: Its command, once it is prepared.
    """

    service: Sandbox
    folder: Path
    command: Command | None = None

    def file(self, name: str, content: object) -> Path:
        """Write a JSON file."""
        path = self.folder / name
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    @property
    def settings(self) -> dict[str, str]:
        """URL and credentials, under the names that most programs use."""
        return {
            name: self.service.announced[name]
            for name in ("service_url", "token_uri", "client_id", "client_secret", "scope")
        }


def output(command: Command) -> str:
    """The standard output of a command.

    Raises:
        FailedError: The command failed.
    """
    done = subprocess.run(
        [str(argument) for argument in command.arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **command.environment},
        timeout=EXPECTED_SECONDS,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise FailedError(lines[-1][-300:])
    return done.stdout


class Program:
    """A program.

    Attributes:
        name: Its name in the report.
        package: Its package on the package index; empty if it has none.
        environment: Folder of its virtual environment.
        cannot: The work that it does not support, with the reason.
        slow: Whether it gets the lighter load of a case.
    """

    name = ""
    package = ""
    environment = ".venv-bench-tap"
    cannot: ClassVar[dict[Work, str]] = {}
    slow = True

    def command(self, load: Load, place: Place) -> Command:
        """The command for a load.

        Raises:
            FailedError: The preparation failed.
        """
        raise NotImplementedError

    def prepare(self, load: Load, place: Place) -> None:
        """Prepare a run; this is not measured."""
        place.command = self.command(load, place)

    @property
    def python(self) -> Path:
        """The Python interpreter of its environment."""
        return self.executable("python")

    def executable(self, name: str) -> Path:
        """An executable of its environment."""
        return REPOSITORY / self.environment / "bin" / name

    @property
    def missing(self) -> str:
        """Why it is not installed; the empty string if it is."""
        log = REPOSITORY / self.environment / "failed"
        if log.exists():
            lines = log.read_text(errors="replace").strip().splitlines() or ["no reason given"]
            return f"not installed: {lines[-1]}"
        return "" if self.python.exists() else "not installed: its environment does not exist"

    @cached_property
    def version(self) -> str:
        """The installed version."""
        if not self.package:
            return ""
        code = f"from importlib.metadata import version; print(version({self.package!r}))"
        return output(Command([self.python, "-c", code])).strip()


class ThisTap(Program):
    """The tap of this project.

    Args:
        parallel: Maximum number of requests in flight.
    """

    package = "tap-dynamics365"
    slow = False

    def __init__(self, parallel: int) -> None:
        self.parallel = parallel
        self.name = f"this tap, {parallel} in flight" if parallel > 1 else "this tap, sequential"

    def command(self, load: Load, place: Place) -> Command:
        """The command, with a catalog that it discovered and a state that it wrote."""
        settings = {**place.service.settings, "max_parallel_requests": self.parallel}
        config = place.file("config.json", settings)
        base = [self.executable("tap-dynamics365"), "--config", config]
        if load.work is Work.DISCOVER:
            return Command([*base, "--discover"])
        catalog = json.loads(output(Command([*base, "--discover"])))
        select(catalog, load)
        command = [*base, "--catalog", place.file("catalog.json", catalog)]
        if load.work is Work.READ_NOTHING_NEW:
            command += ["--state", place.file("state.json", last_state(output(Command(command))))]
        return Command(command)


def select(catalog: Catalog, load: Load) -> None:
    """Select the tables and columns of a load in a Singer catalog.

    Args:
        catalog: The catalog, which is changed.
        load: The load.
    """
    for stream in catalog["streams"]:
        name = stream["tap_stream_id"]
        wanted = load.chosen(name) if name in load.tables else []
        for entry in stream["metadata"]:
            path = entry["breadcrumb"]
            entry["metadata"]["selected"] = path[-1] in wanted if path else bool(wanted)


def last_state(messages: str) -> Any:  # noqa: ANN401  - each tap has its own form
    """The last state in the output of a tap."""
    lines = (json.loads(line) for line in messages.splitlines() if '"STATE"' in line)
    return [line["value"] for line in lines][-1]


class Textbook(Program):
    """A plain tap, written as the SDK's documentation teaches."""

    name = "textbook SDK tap"
    package = "singer-sdk"
    cannot: ClassVar = {Work.DISCOVER: "its tables are declared in its settings"}

    SCHEMAS: ClassVar = {
        "guid": {"type": ["string", "null"], "format": "uuid"},
        "string": {"type": ["string", "null"]},
        "int32": {"type": ["integer", "null"]},
        "int64": {"type": ["integer", "null"]},
        "decimal": {"type": ["number", "null"]},
        "boolean": {"type": ["boolean", "null"]},
        "datetimeoffset": {"type": ["string", "null"], "format": "date-time"},
    }

    def command(self, load: Load, place: Place) -> Command:
        """The command, with the tables in its settings."""
        described = [
            {
                "name": table,
                "set": organisation.entity_set(table),
                "key": f"{table}id",
                "columns": {
                    name: self.SCHEMAS[kind.removeprefix("Edm.").lower()]
                    for name, kind in tables.typed_columns(table)
                    if name in load.chosen(table)
                },
            }
            for table in load.tables
        ]
        config = place.file("config.json", {**place.settings, "tables": described})
        command = [self.python, "-m", "benchmarks.textbook_tap", "--config", config]
        here = {"PYTHONPATH": str(REPOSITORY)}
        if load.work is Work.READ_NOTHING_NEW:
            messages = output(Command(command, here))
            command += ["--state", place.file("state.json", last_state(messages))]
        return Command(command, here)


class Ceiling(Program):
    """The raw ceiling: no Singer work."""

    name = "raw ceiling"
    slow = False
    cannot: ClassVar = {
        Work.DISCOVER: "it has no schema",
        Work.READ_NOTHING_NEW: "it keeps no state",
    }

    def command(self, load: Load, place: Place) -> Command:
        """The command, with the query of its only table."""
        given, (table,) = place.settings, load.tables
        options = "&".join(f"{name}={value}" for name, value in load.query(table).items())
        query = f"{given['service_url']}{organisation.entity_set(table)}?{options}"
        credentials = (given["token_uri"], given["client_secret"], given["client_id"])
        return Command([self.python, Path(__file__).with_name("ceiling.py"), *credentials, query])
