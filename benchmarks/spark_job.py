"""Reads a table in Apache Spark as the benchmark orders; it runs in an environment of Spark."""

from __future__ import annotations

import json
import sys
import time

from pyspark.sql import SparkSession

# The first read in a session also starts workers and compiles Java code.
READS = 3


def main() -> None:
    """Read the order from standard input, and print rows per second by partitions and requests."""
    order = json.load(sys.stdin)
    spark = (
        SparkSession.builder.master("local[*]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    found = {}
    for partitions, requests in order["reads"]:
        reader = spark.read.format("dynamics365").options(**order["config"])
        reader = reader.option("columns", order["columns"]).option("partitions", partitions)
        frame = reader.option("max_parallel_requests", requests).load(order["table"])
        seconds = []
        for _ in range(READS):
            began = time.monotonic()
            frame.write.format("noop").mode("overwrite").save()
            seconds.append(time.monotonic() - began)
        rows = frame.count()
        found[f"{partitions} partitions, {requests} requests each"] = rows / min(seconds)
    spark.stop()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
