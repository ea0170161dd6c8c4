"""Client of a Spark session that runs in an environment of Spark; see program.py."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The version of Spark that `make spark-test` has installed; empty if it does not run.
VERSION = os.environ.get("SPARK", "")
PYTHON = REPOSITORY / f".venv-spark-{VERSION}" / "bin" / "python"

#: Whether this Spark has no data sources in Python.
IS_BEFORE_DATA_SOURCES = VERSION.startswith("3.")
#: Whether its environment has pandas: see the Makefile.
HAS_PANDAS = VERSION.startswith(("3.", "4.0."))


class SparkError(Exception):
    """A call failed in Spark."""


@dataclass
class Spark:
    """A Spark session.

    Attributes:
        process: The process.
        folder: Where its files go.
        version: The version of Spark.
    """

    process: subprocess.Popen[str]
    folder: Path
    version: tuple[int, ...] = ()

    def __call__(self, call: str, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
        """Call a method of `program.Session`.

        Raises:
            SparkError: It failed.
        """
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"call": call, **arguments}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> Any:  # noqa: ANN401 - JSON
        """Return the next answer."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            message = "Spark has ended."
            raise SparkError(message)
        answer = json.loads(line)
        if "error" in answer:
            raise SparkError(answer["error"])
        return answer["value"]


@contextmanager
def session(folder: Path, master: str) -> Iterator[Spark]:
    """Start a Spark session, and end it.

    Args:
        folder: Where its files go.
        master: The master of Spark.
    """
    environment = {
        **os.environ,
        # Executors have no working folder of the repository.
        "PYTHONPATH": str(REPOSITORY),
        "PYSPARK_PYTHON": str(PYTHON),
        "PYSPARK_DRIVER_PYTHON": str(PYTHON),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    process = subprocess.Popen(  # noqa: S603 - our own program
        [PYTHON, "-m", "tests.spark.in_spark.program", master, folder],
        cwd=REPOSITORY,
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        spark = Spark(process, folder)
        spark.version = tuple(int(part) for part in spark.answer().split("."))
        try:
            yield spark
        finally:
            assert process.stdin
            process.stdin.close()
            process.wait(60)
