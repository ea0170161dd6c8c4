"""Registers the data source `dynamics365` with Apache Spark.

Spark imports each module whose name begins with `pyspark_` when a session looks up a data source
for the first time, and registers its `DefaultSource`. If one of them fails to import, Spark
registers none. So this module imports without PySpark or PyArrow too, and then has no
`DefaultSource`.
"""

from importlib.util import find_spec

__all__: list[str] = []


def _can_be_used() -> bool:
    """Tell whether PySpark has Python data sources, and PyArrow is there."""
    try:
        return bool(find_spec("pyspark.sql.datasource") and find_spec("pyarrow"))
    except ModuleNotFoundError:
        # There is no PySpark at all.
        return False


if _can_be_used():
    from tap_dynamics365.spark import Dynamics365DataSource

    class DefaultSource(Dynamics365DataSource):
        """The data source under the name that Spark looks for."""
