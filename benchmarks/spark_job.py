"""Reads a table as the benchmark orders, in an environment of Apache Spark.

It reads the order from standard input, and prints rows per second by program.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import SparkSession

from tap_dynamics365.arrow import ArrowSource

if TYPE_CHECKING:
    from collections.abc import Callable

# The first read in a session also starts workers, and compiles Java code.
READS = 3


def _speed(read: Callable[[], object], rows: int) -> float:
    """Return the rows per second of the fastest read."""
    seconds = []
    for _ in range(READS):
        began = time.monotonic()
        read()
        seconds.append(time.monotonic() - began)
    return rows / min(seconds)


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def main() -> None:
    """Measure and print."""
    order: dict[str, Any] = json.load(sys.stdin)
    config, table, columns = order["config"], order["table"], order["columns"]

    def in_one_process(requests: int) -> int:
        with ArrowSource({**config, "max_parallel_requests": requests}) as source:
            return sum(batch.num_rows for batch in source.read(table, columns.split(",")))

    def in_spark(partitions: int, requests: int) -> None:
        options = {**config, "columns": columns, "partitions": partitions}
        reader = spark.read.format("dynamics365").options(**options)
        frame = reader.option("max_parallel_requests", requests).load(table)
        frame.write.format("noop").mode("overwrite").save()

    rows = in_one_process(order["process"][0])
    found = {
        f"one process, {_count(requests, 'request')}": _speed(
            partial(in_one_process, requests), rows
        )
        for requests in order["process"]
    }
    spark = (
        SparkSession.builder.master("local[*]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    for partitions, requests in order["spark"]:
        name = f"{_count(partitions, 'partition')}, {_count(requests, 'request')} each"
        found[f"Spark {spark.version}, {name}"] = _speed(
            partial(in_spark, partitions, requests), rows
        )
    spark.stop()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
