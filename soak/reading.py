"""One run of the tap, whose every row is looked at: none is missing, none comes twice or late."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import msgspec

from tools.measuring import CHILD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.client import Sandbox

# A sum of so many bits tells sets of keys apart.
MODULUS = 2**128
LONGEST_LOG = 4_000


class LostError(Exception):
    """The rows that came are not those of the service, or the run failed."""


@dataclass
class Tally:
    """What was seen of a table.

    Attributes:
        rows: How many rows.
        keys: The sum of their keys, each with the version of the row.
        last: When the last one was modified.
    """

    rows: int = 0
    keys: int = 0
    last: str = ""

    def add(self, key: str, version: int, modified: str) -> None:
        """Count a row."""
        if modified < self.last:
            message = f"A row of {modified} came after one of {self.last}."
            raise LostError(message)
        self.rows += 1
        self.keys = (self.keys + (int(key.replace("-", ""), 16) ^ version)) % MODULUS
        self.last = modified


class _Message(msgspec.Struct):
    type: str
    stream: str = ""
    record: msgspec.Raw = msgspec.Raw(b"")


@dataclass
class Reading:
    """What a run brought.

    Attributes:
        tables: By name.
        states: How many states.
        seconds: How long it took.
        memory: The most memory that the tap had, in MB.
        waits: How many times it said that it waits.
    """

    tables: dict[str, Tally] = field(default_factory=dict)
    states: int = 0
    seconds: float = 0.0
    memory: float = 0.0
    waits: int = 0


def expected(service: Sandbox, tables: Iterable[str]) -> dict[str, Tally]:
    """Count what the service has.

    Args:
        service: The service.
        tables: Names of tables.
    """
    found = {}
    for table in tables:
        tally = found[table] = Tally()
        rows = service.rows(table)
        rows.sort(key=lambda row: row["modifiedon"])
        for row in rows:
            tally.add(row[f"{table}id"], row["versionnumber"], row["modifiedon"])
    return found


def read(settings: dict[str, Any], tables: Iterable[str]) -> Reading:
    """Run the tap, and count what it writes.

    Args:
        settings: Of the tap.
        tables: Names of tables.

    Raises:
        LostError: It failed, or rows of a table are not in order.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.json").write_text(json.dumps(settings))
        report = folder / "used"
        command = [sys.executable, "-I", "-S", str(CHILD), str(report), sys.executable]
        command += ["-m", "tap_dynamics365", "--config", str(folder / "config.json")]
        begin = time.monotonic()
        with (
            (folder / "log").open("w+") as log,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process,
        ):
            try:
                reading = _count(cast("IO[bytes]", process.stdout), tables)
            except BaseException:
                process.kill()
                raise
            process.wait()
            log.seek(0)
            told = log.read()
        reading.seconds = time.monotonic() - begin
        status, _, kilobytes = report.read_text().split()
    reading.memory = int(kilobytes) / 1024
    reading.waits = told.count("Trying again in ")
    if status != "0":
        message = f"The tap ended with {status}: {told[-LONGEST_LOG:]}"
        raise LostError(message)
    return reading


def _count(output: IO[bytes], tables: Iterable[str]) -> Reading:
    reading = Reading({table: Tally() for table in tables})
    messages = msgspec.json.Decoder(_Message)
    rows = {table: msgspec.json.Decoder(_row(table)) for table in reading.tables}
    for line in output:
        message = messages.decode(line)
        if message.type == "RECORD":
            row: Any = rows[message.stream].decode(message.record)
            reading.tables[message.stream].add(row.key, row.version, row.modified)
        elif message.type == "STATE":
            reading.states += 1
    return reading


def _row(table: str) -> type[msgspec.Struct]:
    """What is looked at of a row."""
    return msgspec.defstruct(
        "Row",
        [("key", str), ("version", int), ("modified", str)],
        rename={"key": f"{table}id", "version": "versionnumber", "modified": "modifiedon"},
    )
