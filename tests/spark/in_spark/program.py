"""A Spark session that does what a test asks for, line by line: it runs in an environment of Spark.

    python -m tests.spark.in_spark.program MASTER FOLDER

Each line of standard input is a call in JSON: `{"call": "rows", "options": {…}}`. The answer is a
line of standard output. The program imports no test, and nothing that only tests have.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import SparkSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame

# Small and quick; see https://spark.apache.org/docs/latest/configuration.html.
CONFIGURATION = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.session.timeZone": "UTC",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.eventLog.enabled": "true",
    "spark.eventLog.compress": "false",
    "spark.python.worker.reuse": "true",
}
FORMAT = "dynamics365"
SECONDS = 120


class Session:
    """A Spark session, and what tests ask of it.

    Args:
        master: The master of Spark.
        folder: Where files go.
    """

    def __init__(self, master: str, folder: Path) -> None:
        self.folder = folder
        (folder / "events").mkdir()
        builder = SparkSession.builder.master(master).appName("tests")
        for name, value in CONFIGURATION.items():
            builder = builder.config(name, value)
        builder = builder.config("spark.eventLog.dir", (folder / "events").as_uri())
        builder = builder.config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        self.spark = builder.getOrCreate()
        self.spark.sparkContext.setLogLevel("ERROR")

    def _read(self, options: dict[str, str], schema: str = "", where: str = "") -> DataFrame:
        reader = self.spark.read.format(FORMAT).options(**options)
        frame = (reader.schema(schema) if schema else reader).load()
        return frame.where(where) if where else frame

    def _saved(self, frame: DataFrame) -> str:
        """Write the rows of a DataFrame to a file of Arrow, and return its path."""
        return self._written(frame.toArrow() if hasattr(frame, "toArrow") else _collected(frame))

    def _written(self, table: pa.Table) -> str:
        path = self.folder / f"{len([*self.folder.iterdir()])}.arrow"
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table)
        return str(path)

    def schema(self, options: dict[str, str]) -> Any:  # noqa: ANN401 - JSON
        """Return the schema of a table."""
        return self._read(options).schema.jsonValue()

    def rows(self, options: dict[str, str], schema: str = "", where: str = "") -> str:
        """Return the path of a file with rows."""
        return self._saved(self._read(options, schema, where))

    def limited(self, options: dict[str, str], rows: int) -> int:
        """Return how many rows there are if a query is limited to some."""
        return len(self._read(options).limit(rows).collect())

    def view(self, statement: str, query: str) -> list[Any]:
        """Run two statements, and return the rows of the second."""
        self.spark.sql(statement)
        return [list(row) for row in self.spark.sql(query).collect()]

    def explained(self, options: dict[str, str], where: str = "") -> str:
        """Return all plans of a query."""
        with redirect_stdout(StringIO()) as printed:
            self._read(options, where=where).explain(extended=True)
        return printed.getvalue()

    def configured(self, name: str, value: str) -> None:
        """Change a setting of Spark."""
        self.spark.conf.set(name, value)

    def mapped(self, table: str, options: dict[str, str]) -> str:
        """Return the path of a file with rows that `mapInArrow` has read."""
        from tap_dynamics365.spark import read_table  # noqa: PLC0415 - not in each version

        return self._saved(read_table(self.spark, table, **options))

    def streamed(self, options: dict[str, str], target: str, key: str) -> list[int]:
        """Merge all that a stream has now into a Delta table; return the rows of each batch."""
        # Only the streams need it.
        from tests.spark.in_spark.delta import merge  # noqa: PLC0415

        sizes: list[int] = []

        def write(batch: DataFrame, _number: int) -> None:
            sizes.append(merge(batch.toArrow(), target, key))

        stream = self.spark.readStream.format(FORMAT).options(**options).load()
        query = (
            stream.writeStream.foreachBatch(write)
            .option("checkpointLocation", f"{target}-checkpoint")
            .trigger(availableNow=True)
            .start()
        )
        if not query.awaitTermination(SECONDS):
            message = "The stream did not end."
            raise TimeoutError(message)
        return sizes

    def delta_rows(self, target: str) -> str:
        """Return the path of a file with the rows of a Delta table."""
        from tests.spark.in_spark.delta import read  # noqa: PLC0415 - only streams need it

        return self._written(read(target))

    def stopped(self) -> None:
        """End the session, which completes its event log."""
        self.spark.stop()


def _collected(frame: DataFrame) -> pa.Table:
    """Return the rows of a DataFrame of Spark 3.5 as Arrow, by way of Python values."""
    from pyspark.sql.pandas.types import to_arrow_schema  # noqa: PLC0415 - only for Spark 3.5

    return pa.Table.from_pylist(
        [row.asDict() for row in frame.collect()], to_arrow_schema(frame.schema)
    )


def main() -> None:
    """Answer calls until standard input ends."""
    # What else is printed goes to standard error: answers have standard output for themselves.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    session = Session(sys.argv[1], Path(sys.argv[2]))
    print(json.dumps({"value": session.spark.version}), file=answers, flush=True)
    for line in sys.stdin:
        arguments = json.loads(line)
        call: Callable[..., Any] = getattr(session, arguments.pop("call"))
        try:
            answer = {"value": call(**arguments)}
        except Exception as error:  # noqa: BLE001 - the test decides
            traceback.print_exc()
            answer = {"error": str(error)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
