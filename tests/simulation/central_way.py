"""Ways in which the tap is set up in histories of Business Central."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from sandbox.faults.central_mishaps import CENTRAL_KINDS
from tests.simulation.central_changes import CARDS, LIST, ROUTE, SALES, SHAPES, TABLES
from tests.storms.schedule import FULL_TABLE, INCREMENTAL, RETRIES, Strategies
from tests.tap import own_metadata, select

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sandbox.central_client import CentralSandbox
    from tests.tap import Message

# The sets that requests are for: bound tables are read through their parents.
SETS = ["customers", "salesInvoices", "journals", SALES, CARDS]
FAULTS = Strategies(CENTRAL_KINDS, "/api/", SETS, ["$metadata"])
FETCH_SIZE = 3
START = "2029-01-01T00:00:00Z"
OLD = "2001-02-03T04:05:06Z"
# Seconds after which a row is visible for sure. Sorted rows are only read again for the lookback.
LATEST, LATEST_SORTED = 600, 300
# Runs between the beginning of a transaction and its commit, for a table with a row version.
RUNS = 1
NAMES = ("Alpha", "Béta & Söhne", "O'Gamma/1", "Delta")


@dataclass
class Setup:
    """What the histories of one test have in common.

    Attributes:
        service: The service.
        catalog: What the tap discovers.
    """

    service: CentralSandbox
    catalog: Message

    def config(
        self, way: Way, filters: Mapping[str, str], companies: Collection[str] | None
    ) -> Message:
        """Make the settings of the tap.

        Args:
            way: How the tap is set up.
            filters: A group for each table with a filter.
            companies: The ids of the selected companies; None for all.
        """
        config = {
            **self.service.settings,
            "api_routes": [ROUTE],
            "tables": [*way.tables, LIST],
            "fetch_size": FETCH_SIZE,
            "max_parallel_requests": way.parallel,
            "filters": {
                table: f"{SHAPES[table].group} eq '{group}'"
                for table, group in filters.items()
                if table in way.tables
            },
            "ws_retry_count": RETRIES,
            "emit_activate_version_messages": way.has_versions,
        }
        if companies is not None:
            config["companies"] = [*companies]
        if way.is_sorted:
            config["sorted_tables"] = ["customers", "sales*"]
        if way.has_start:
            config["start_date"] = START
        return config

    def chosen(self, way: Way, wide: Collection[str]) -> Message:
        """Select the tables and columns, and set the replication methods.

        Args:
            way: How the tap is set up.
            wide: The tables of which all columns are selected.
        """
        columns: dict[str, list[str] | None] = {LIST: ["name"]}
        for table in way.tables:
            shape = SHAPES[table]
            columns[table] = [shape.value, *([shape.group] if table in wide else [])]
        catalog = select(self.catalog, columns)
        catalog["streams"] = [
            stream for stream in catalog["streams"] if stream["tap_stream_id"] in columns
        ]
        for stream in catalog["streams"]:
            method = way.method if stream["tap_stream_id"] != SALES else FULL_TABLE
            own_metadata(stream)["replication-method"] = method
        return catalog


@dataclass(frozen=True)
class Way:
    """How the tap is set up in a history.

    Attributes:
        method: The replication method of the tables that have a replication key.
        has_versions: Whether records carry table versions.
        parallel: The maximum number of parallel requests.
        is_sorted: Whether the setting sorted_tables names tables.
        has_start: Whether there is a start date.
        status: The status of a refusal of a table or company.
        tables: The tables that are selected.
    """

    method: str
    has_versions: bool
    parallel: int
    is_sorted: bool
    has_start: bool
    status: int
    tables: Sequence[str] = ()


ways = st.builds(
    Way,
    method=st.sampled_from([INCREMENTAL, FULL_TABLE]),
    has_versions=st.sampled_from([True, True, False]),
    parallel=st.sampled_from([1, 5]),
    is_sorted=st.booleans(),
    has_start=st.booleans(),
    status=st.sampled_from([400, 403, 500]),
    tables=st.lists(st.sampled_from(TABLES), min_size=2, max_size=5, unique=True),
)
