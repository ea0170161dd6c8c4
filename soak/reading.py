"""Reading: one run of the tap, with a check of every row for losses, duplicates and order."""

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

from tools.measuring import reporting, spent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.client import Sandbox

# Modulus of the checksum of keys: 128 bits.
MODULUS = 2**128
LONGEST_LOG = 4_000


class LostError(Exception):
    """The rows of a run are not those of the service, or the run failed."""


@dataclass
class Tally:
    """Totals of a table.

    Attributes:
        rows: Number of rows.
        keys: Sum of the rows' keys, each combined with the version of its row.
        last: Time of the last row's change.
    """

    rows: int = 0
    keys: int = 0
    last: str = ""

    def add(self, key: str, version: int, modified: str) -> None:
        """Count a row.

        Args:
            key: Key of the row.
            version: Version of the row.
            modified: Time of the row's last change.

        Raises:
            LostError: The row is older than the row before it.
        """
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
    """Result of a run.

    Attributes:
        tables: Totals by table.
        states: Number of STATE messages.
        seconds: Duration.
        memory: Peak memory of the tap in MB.
        waits: Number of waits that the tap logged.
    """

    tables: dict[str, Tally] = field(default_factory=dict)
    states: int = 0
    seconds: float = 0.0
    memory: float = 0.0
    waits: int = 0


def expected(service: Sandbox, tables: Iterable[str]) -> dict[str, Tally]:
    """Return the totals of the rows that the service has.

    Args:
        service: The sandbox.
        tables: Names of the tables.
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
    """Run the tap, and count the rows that it writes.

    Args:
        settings: Settings of the tap.
        tables: Names of the tables.

    Raises:
        LostError: The run failed, or rows of a table are not in order.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config, report = folder / "config.json", folder / "used"
        config.write_text(json.dumps(settings))
        command = [sys.executable, "-m", "tap_dynamics365", "--config", config]
        begin = time.monotonic()
        with (
            (folder / "log").open("w+") as log,
            subprocess.Popen(
                reporting(report, command), stdout=subprocess.PIPE, stderr=log
            ) as process,
        ):
            try:
                reading = _count(cast("IO[bytes]", process.stdout), tables)
            except BaseException:
                process.kill()
                raise
            process.wait()
            log.seek(0)
            logged = log.read()
        used = spent(report, time.monotonic() - begin)
    if used is None:
        message = f"The tap failed: {logged[-LONGEST_LOG:]}"
        raise LostError(message)
    reading.seconds, reading.memory = used.wall, used.memory
    reading.waits = logged.count("Trying again in ")
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
    """Return the type of a row, with the columns to check."""
    return msgspec.defstruct(
        "Row",
        [("key", str), ("version", int), ("modified", str)],
        rename={"key": f"{table}id", "version": "versionnumber", "modified": "modifiedon"},
    )
