"""What Spark does with a data source, in one process: workers, pickles, partitions and tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark import cloudpickle

from tap_dynamics365.spark import Dynamics365DataSource

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from pyspark.sql.datasource import Filter
    from pyspark.sql.types import StructType


def app(settings: Mapping[str, str], **options: str) -> dict[str, str]:
    """Options with which an app signs in."""
    return {**_without(settings, "refresh_token"), **options}


def person(settings: Mapping[str, str], **options: str) -> dict[str, str]:
    """Options with which a person signs in."""
    return {**settings, **options}


def _without(settings: Mapping[str, str], name: str) -> dict[str, str]:
    return {each: value for each, value in settings.items() if each != name}


def copied(value: Any) -> Any:  # noqa: ANN401 - anything
    """Return what arrives in another process."""
    return cloudpickle.loads(cloudpickle.dumps(value))


class Plan:
    """A query that a worker of the driver has planned.

    Args:
        options: The options of the data source.
        schema: The user's own schema; by default, that of the data source.
        filters: The filters of the query, if the session pushes them.

    Attributes:
        schema: The schema.
        sent: What goes to executors besides the partitions.
        partitions: The pickle of each partition.
    """

    def __init__(
        self,
        options: Mapping[str, str],
        schema: StructType | None = None,
        filters: Sequence[Filter] | None = None,
    ) -> None:
        source = Dynamics365DataSource(dict(options))
        self.schema = schema or source.schema()
        # Another worker of the driver, with what the first one has pickled.
        source = copied(source)
        reader = source.reader(self.schema)
        if filters is not None:
            self.left = reader.pushFilters([*filters])
        # Before there are partitions.
        self.sent = cloudpickle.dumps((source, reader))
        self.partitions = [cloudpickle.dumps(each) for each in reader.partitions()]

    @property
    def tasks(self) -> list[Any]:
        """The task of each partition."""
        return [cloudpickle.loads(each).value for each in self.partitions]

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """Read all partitions as executors do."""
        _, reader = cloudpickle.loads(self.sent)
        for partition in self.partitions:
            yield from reader.read(cloudpickle.loads(partition))

    def rows(self) -> pa.Table:
        """Return the rows of all partitions."""
        return pa.Table.from_batches(self.batches())
