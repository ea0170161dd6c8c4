"""Data source for Apache Spark: tables of Dynamics 365 as DataFrames, in batches and streams.

    from tap_dynamics365.spark import Dynamics365DataSource    # Spark 4.0 and later
    from tap_dynamics365.spark import read_table               # any Spark from 3.5 on

Spark itself is not a dependency: a wheel must not replace the one of a cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tap_dynamics365.spark.data_source import Dynamics365DataSource
    from tap_dynamics365.spark.map_in_arrow import read_table

__all__ = ["Dynamics365DataSource", "read_table"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - one of `__all__`
    """Import what is asked for: Spark 3.5 has no data sources in Python."""
    if name == "Dynamics365DataSource":
        from tap_dynamics365.spark.data_source import Dynamics365DataSource  # noqa: PLC0415

        return Dynamics365DataSource
    if name == "read_table":
        from tap_dynamics365.spark.map_in_arrow import read_table  # noqa: PLC0415

        return read_table
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
