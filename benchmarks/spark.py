"""Spark: rows a second of the data source in Apache Spark, beside those of one process.

One process reads the table with the Arrow reader, and Spark with the data source, on the same
machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.cases import DELAY, Name
from benchmarks.running import say
from sandbox import client
from tools.measuring import FailedError
from tools.repository import REPOSITORY

ROWS = 200_000
TABLE = "account"
COLUMNS = (
    "accountid",
    "name",
    "accountnumber",
    "revenue",
    "numberofemployees",
    "creditlimit",
    "statecode",
    "statuscode",
    "address1_city",
    "createdon",
    "modifiedon",
    "versionnumber",
)
# Requests of one process; and partitions of Spark, with the requests of each task.
PROCESS = (8, 1)
SPARK = ((1, 1), (4, 2), (8, 1), (4, 8), (8, 6))
JOB = Path(__file__).with_name("spark_job.py")
LONGEST_RUN = 900.0


def measure(version: str) -> dict[str, float]:
    """Measure one process and Spark.

    Args:
        version: The version of Spark.

    Returns:
        Rows per second by program. The first one is what the others are compared with.

    Raises:
        FailedError: Spark is not installed, or failed.
    """
    say(f"\n{Name.SPARK}")
    python = REPOSITORY / f".venv-spark-{version}" / "bin" / "python"
    if shutil.which("java") is None:
        msg = "it needs Java"
        raise FailedError(msg)
    if not python.exists():
        msg = f"version {version} is not installed"
        raise FailedError(msg)
    with client.running(rows=0, sizes={TABLE: ROWS}) as service:
        service.configure(compress=False, page_delay_ms=DELAY)
        names = ("service_url", "token_uri", "client_id", "client_secret")
        order = {
            "config": {name: service.settings[name] for name in names},
            "table": TABLE,
            "columns": ",".join(COLUMNS),
            "process": PROCESS,
            "spark": SPARK,
        }
        try:
            done = subprocess.run(
                [python, JOB],
                input=json.dumps(order),
                env={**os.environ, "PYSPARK_PYTHON": str(python), "SPARK_LOCAL_IP": "127.0.0.1"},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                timeout=LONGEST_RUN,
            )
        except subprocess.SubprocessError as error:
            raise FailedError(str(error)) from error
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    for program, speed in found.items():
        say(f"  {program:<48}{speed:>9,.0f} rows/s")
    return found
