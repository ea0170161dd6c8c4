"""Runs of the tap as a process, and functions on its catalog and messages.

    run = Tap({"service_url": …, "access_token": …}).sync(catalog=catalog)
    assert run.counts == {"account": 50}

The process is forked from one that has imported the tap, which saves the second that a start takes.
Tests of the executable itself pass `command=EXECUTABLE`, which starts Python.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.fork_server import Forked, ForkServer
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SECONDS = 60

# Command lines of the tap: of a forked process, and of a new one.
FORKED = ("-m", "tap_dynamics365")
EXECUTABLE = (sys.executable, *FORKED)
# Packages that some grants import at first use, which takes half a second.
IMPORTED = (
    "tap_dynamics365.tap",
    "tap_dynamics365.login.command",
    "tap_dynamics365.commands.command",
)
IMPORTED_LATER = ("azure.identity", "jwt", "requests_ntlm")
TAPS = ForkServer([*IMPORTED, *IMPORTED_LATER])
# The Python of an environment that has the tap without extras, whose processes are forked too.
PLAIN = REPOSITORY / ".venv-plain" / "bin" / "python"
PLAIN_TAPS = ForkServer(IMPORTED, python=str(PLAIN))

# Settings under which the messages of the tap have to be the same, by name.
MODES: dict[str, dict[str, Any]] = {
    "one-by-one": {"max_parallel_requests": 1},
    "side-by-side": {"max_parallel_requests": 8},
}
# The modes, and the SDK's own code path: flattening finds nothing to flatten, but makes the SDK
# process each record as Python values.
WAYS: dict[str, dict[str, Any]] = {
    **MODES,
    "as-values": {"flattening_enabled": True, "flattening_max_depth": 2},
}
# Mark of tests whose code is the same in each mode: they run in the default mode only.
in_one_mode = pytest.mark.parametrize(
    "mode", [MODES["side-by-side"]], ids=["side-by-side"], indirect=True
)

# Resources that the tap requests besides rows of tables.
NOT_ROWS = {"$metadata", "$batch", "EntityDefinitions", "RetrieveMetadataChanges"}

Message = dict[str, Any]
# Made once: `json.loads` makes one for each line.
DECODER = json.JSONDecoder(parse_float=Decimal)
Process = subprocess.Popen[bytes] | Forked


@dataclass(frozen=True)
class Run:
    """Result of a run of the tap.

    Args:
        status: The exit code.
        output: Standard output.
        log: Standard error.
    """

    status: int
    output: str
    log: str

    @cached_property
    def messages(self) -> list[Message]:
        """The messages in order; numbers with a fraction are Decimal."""
        return [DECODER.decode(line) for line in self.output.split("\n") if line]

    @cached_property
    def _records(self) -> dict[str, list[Message]]:
        records: dict[str, list[Message]] = {}
        for message in self.messages:
            if message["type"] == "RECORD":
                records.setdefault(message["stream"], []).append(message["record"])
        return records

    def records(self, stream: str) -> list[Message]:
        """The records of one stream in order."""
        return self._records.get(stream, [])

    @property
    def counts(self) -> dict[str, int]:
        """The number of records of each stream."""
        return {stream: len(records) for stream, records in self._records.items()}

    @cached_property
    def schemas(self) -> dict[str, Message]:
        """The SCHEMA message of each stream."""
        return {m["stream"]: m for m in self.messages if m["type"] == "SCHEMA"}

    @cached_property
    def states(self) -> list[Message]:
        """The states in order."""
        return [message["value"] for message in self.messages if message["type"] == "STATE"]

    @property
    def state(self) -> Message:
        """The last state."""
        return self.states[-1] if self.states else {}

    def logged(self, level: str) -> list[str]:
        """Return the texts of the log at one level."""
        lines = (line.split(" | ", 3) for line in self.log.splitlines())
        return [parts[-1] for parts in lines if len(parts) > 1 and parts[1].strip() == level]

    def refusal(self) -> str:
        """Assert that the run failed with one or two sentences and no traceback; return them."""
        assert self.status == 1, self.log
        assert "Traceback" not in self.log
        errors = self.logged("ERROR")
        # The last line is about the run; the one before it may name a stream.
        assert 1 <= len(errors) <= 2, self.log
        assert self.log.splitlines()[-1].endswith(errors[-1]), self.log
        return " ".join(errors)


def begin(command: tuple[str, ...], arguments: Sequence[str], **options: Any) -> Process:
    """Start a command.

    Args:
        command: The arguments of `python` for a forked process, with `PLAIN` before them for one
            without extras; or a program with its first arguments.
        arguments: The rest of the command line.
        **options: Options of `ForkServer.start` or `subprocess.Popen`.

    Returns:
        The process.
    """
    if command[0] in {"-m", "-c"}:
        return TAPS.start(command, arguments, **options)
    if command[0] == str(PLAIN):
        return PLAIN_TAPS.start(command[1:], arguments, **options)
    return subprocess.Popen([*command, *arguments], **options)  # noqa: S603 - our own program


@dataclass
class Tap:
    """The tap with its settings.

    Args:
        settings: The content of the file that `--config` names.
        environment: Variables in addition to those of the tests.
        command: The beginning of the command line, as for `begin`.
        clock: The clock of a forked process, as for `ForkServer.start`.
    """

    settings: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = FORKED
    clock: dict[str, float] = field(default_factory=dict)

    def but(self, **settings: Any) -> Tap:
        """Return the tap with other settings; None removes one."""
        changed = {**self.settings, **settings}
        return replace(self, settings={k: v for k, v in changed.items() if v is not None})

    def start(
        self,
        folder: Path,
        *arguments: str,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        **files: Message | None,
    ) -> Process:
        """Start the tap, with a file for each of the options `config`, `catalog` and `state`."""
        given = [*arguments]
        for option, content in reversed({"config": self.settings, **files}.items()):
            if content is not None:
                path = folder / f"{option}.json"
                path.write_text(json.dumps(content))
                given[:0] = [f"--{option}", str(path)]
        return begin(
            self.command,
            given,
            cwd=folder,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            **({"clock": self.clock} if self.clock else {}),
        )

    def run(self, *arguments: str, **files: Message | None) -> Run:
        """Run the tap to its end, successful or not."""
        with TemporaryDirectory() as folder:
            process = self.start(Path(folder), *arguments, **files)
            try:
                output, log = process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                raise
        return Run(process.returncode, output.decode(), log.decode())

    def sync(self, **files: Message | None) -> Run:
        """Run a sync, which has to succeed."""
        run = self.run(**files)
        assert run.status == 0, run.log
        return run

    def discover(self) -> Message:
        """Discover the catalog, which has to succeed."""
        run = self.run("--discover")
        assert run.status == 0, run.log
        catalog: Message = json.loads(run.output)
        return catalog


def select(catalog: Message, selection: dict[str, list[str] | None]) -> Message:
    """Select streams and columns in a copy of a catalog.

    Args:
        catalog: The catalog, which is not changed.
        selection: The columns of each selected stream; None means all.

    Returns:
        The copy.
    """
    chosen: Message = msgspec.json.decode(msgspec.json.encode(catalog))
    for stream in chosen["streams"]:
        columns = selection.get(stream["tap_stream_id"])
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] in selection
            elif columns is not None:
                entry["metadata"]["selected"] = entry["breadcrumb"][-1] in columns
    return chosen


def entry(catalog: Message, stream: str) -> Message:
    """Return the entry of a stream in a catalog."""
    return next(e for e in catalog["streams"] if e["tap_stream_id"] == stream)


def choose(catalog: Message, stream: str, **metadata: str) -> Message:
    """Select one stream in a copy of a catalog, and set its metadata.

    Args:
        catalog: The catalog, which is not changed.
        stream: The stream.
        **metadata: Metadata of the stream, with an underscore for each hyphen, such as
            `replication_method`.

    Returns:
        The copy.
    """
    chosen = select(catalog, {stream: None})
    own = own_metadata(entry(chosen, stream))
    own |= {name.replace("_", "-"): value for name, value in metadata.items()}
    return chosen


def look_back(bookmark: str, seconds: int = 300) -> str:
    """Return where an incremental run with this bookmark starts: some seconds before it."""
    moment = datetime.fromisoformat(bookmark) - timedelta(seconds=seconds)
    return moment.replace(tzinfo=None).isoformat() + "Z"


def own_metadata(entry: Message) -> Message:
    """Return the metadata of a stream itself, not of its columns."""
    metadata: Message = next(m["metadata"] for m in entry["metadata"] if not m["breadcrumb"])
    return metadata


def reads(log: list[Message], entity_set: str = "") -> list[Message]:
    """Return the requests for pages of rows in a sandbox's log, of one entity set or of all.

    In Dataverse, the request for the largest value of a key is left out; it has a `$top`.
    """
    found = []
    for request in log:
        root, _, name = request["path"].rpartition("/")
        wanted = name == entity_set if entity_set else name.partition("(")[0] not in NOT_ROWS
        is_page = root.startswith("/api/data/") and "$top" not in request["query"]
        if wanted and (is_page or root == "/data"):
            found.append(request)
    return found


def activated(run: Run) -> dict[str, int]:
    """The versions that were activated. No record of the same stream may follow."""
    found: dict[str, int] = {}
    for message in run.messages:
        if message["type"] == "ACTIVATE_VERSION":
            found[message["stream"]] = message["version"]
        elif message["type"] == "RECORD":
            assert message["stream"] not in found
    return found


def versions(run: Run, table: str) -> set[Any]:
    """The versions that the records of a table carry."""
    return {
        message.get("version")
        for message in run.messages
        if message["type"] == "RECORD" and message["stream"] == table
    }


def killed(tap: Tap, catalog: Message, state: Message | None, lines: int) -> Run:
    """Run a sync and kill it after some lines of messages."""
    with TemporaryDirectory() as folder:
        process = tap.start(Path(folder), catalog=catalog, state=state)
        try:
            output: Iterable[bytes] = process.stdout or ()
            written = [line.decode() for line in itertools.islice(output, lines)]
        finally:
            process.kill()
            process.communicate()
    return Run(1, "".join(written), "")
