"""Apache Spark against one process: `make spark-bench`.

Each page of the sandbox takes 300 ms, as if it were far away. One process reads the table with the
Arrow reader, and Spark with the data source on the same machine. Only the ratios within one run
mean something.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.running import say
from sandbox import client
from tap_dynamics365.arrow import ArrowSource
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping

ROWS = 200_000
DELAY_MS = 300
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
PROCESS = (1, 8)
SPARK = ((1, 1), (4, 2), (8, 1), (4, 8), (8, 6))
JOB = Path(__file__).with_name("spark_job.py")


def one_process(config: Mapping[str, object], requests: int) -> float:
    """Return the rows per second of one process.

    Args:
        config: The settings.
        requests: How many requests it sends at a time.
    """
    began = time.monotonic()
    with ArrowSource({**config, "max_parallel_requests": requests}) as source:
        rows: int = sum(batch.num_rows for batch in source.read(TABLE, COLUMNS))
    return rows / (time.monotonic() - began)


def in_spark(config: Mapping[str, str], version: str) -> dict[str, float]:
    """Return the rows per second of each read in Spark, by partitions and requests.

    Args:
        config: The settings.
        version: The version of Spark.
    """
    python = REPOSITORY / f".venv-spark-{version}" / "bin" / "python"
    order = {"config": config, "table": TABLE, "columns": ",".join(COLUMNS), "reads": SPARK}
    done = subprocess.run(
        [python, JOB],
        input=json.dumps(order),
        env={**os.environ, "PYSPARK_PYTHON": str(python), "SPARK_LOCAL_IP": "127.0.0.1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Apache Spark against one process.")
    parser.add_argument("--spark", default="4.3.0", help="version of Spark")
    parser.add_argument("--rows", type=int, default=ROWS)
    options = parser.parse_args()
    with client.running(rows=2_000, sizes={TABLE: options.rows}) as service:
        names = ("service_url", "token_uri", "client_id", "client_secret")
        config = {name: service.settings[name] for name in names}
        # The first read makes the sandbox serialize its rows.
        one_process(config, PROCESS[-1])
        service.fault("/accounts", count=None, delay_ms=DELAY_MS)
        say(f"{options.rows:,} rows of {len(COLUMNS)} columns, {DELAY_MS} ms a page")
        process = {requests: one_process(config, requests) for requests in PROCESS}
        best = max(process.values())
        for requests, speed in process.items():
            say(f"one process, {requests} requests: {speed:>8,.0f} rows/s, {speed / best:.2f}")
        for name, speed in in_spark(config, options.spark).items():
            say(f"Spark {options.spark}, {name}: {speed:>8,.0f} rows/s, {speed / best:.2f}")


if __name__ == "__main__":
    main()
