"""Plan: what the first load and each run after it cost, and what would make them cheaper."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_dynamics365.planning.page_sizes import MeasuredPage
    from tap_dynamics365.planning.row_counts import Source

#: The period of a limit that does not count in 5 minutes.
DAY = "24 hours"
#: The names in a sentence.
MOST_NAMED = 10


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a run takes, for one table or for all. None is unknown.

    Attributes:
        rows: The rows that it sends.
        requests: The requests to the service, without those of discovery and sign-in.
        wire_bytes: Bytes on the wire; known with a measured page.
        seconds: How long it takes, if each request takes as long as that for the measured page. Of
            one table, with one request after the other; of all, in parallel.
    """

    rows: int | None = None
    requests: int | None = None
    wire_bytes: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class TablePlan:
    """One table of a plan.

    Attributes:
        name: The name.
        label: The display name; None if the service has none.
        method: The replication method that is used: `LOG_BASED`, `INCREMENTAL` or `FULL_TABLE`.
        replication_key: The replication key; None if rows are not read by one.
        source: Where the number of rows comes from; None if it is unknown.
        may_be_fewer: Whether a filter or a start date leaves fewer rows than were counted.
        is_read_twice: Whether the second run reads what the first one does, because the replication
            key is a number.
        first_load: The first run.
        each_run: A later run in which nothing has changed.
        page: The page that was measured, if one was.
        error: Why no page could be read.
    """

    name: str
    label: str | None
    method: str
    replication_key: str | None
    source: Source | None
    may_be_fewer: bool
    is_read_twice: bool
    first_load: Load
    each_run: Load
    page: MeasuredPage | None = None
    error: str | None = None

    @property
    def is_measured(self) -> bool:
        """Whether a page was read, or tried."""
        return self.page is not None or self.error is not None


@dataclass(frozen=True)
class Limit:
    """What a service lets one user take in a period.

    Attributes:
        unit: What is counted, such as requests.
        full: How much.
        first_load: The share that the first run takes; 1.0 is all of it. None if unknown.
        each_run: The share that a later run takes; None if unknown.
        period: The period, such as `5 minutes`.
    """

    unit: str
    full: int
    first_load: float | None
    each_run: float | None
    period: str = "5 minutes"


class Kind(Enum):
    """What an advice is about.

    Attributes:
        LOG_BASED: A table is read in full at each run, and its changes are tracked.
        TRACKING_OFF: Tables are read in full at each run, and their changes are not tracked.
        FULL_TABLE: Tables are read in full at each run, and nothing tells what has changed.
        LARGE_COLUMNS: Some columns are much of the bytes.
        LIMIT: A run takes much of what the service lets one user take.
    """

    LOG_BASED = "log_based"
    TRACKING_OFF = "tracking_off"
    FULL_TABLE = "full_table"
    LARGE_COLUMNS = "large_columns"
    LIMIT = "limit"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of the selection or the replication.

    Attributes:
        replication_method: The method for the table of the advice; None for no change.
        deselect: The columns to leave out, as table and column.
    """

    replication_method: str | None = None
    deselect: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What would make runs cheaper.

    Attributes:
        kind: What it is about.
        tables: The tables that it concerns; empty for all.
        sentence: One or two sentences.
        change: What to change; None if the change is to be made elsewhere.
    """

    kind: Kind
    tables: Sequence[str]
    sentence: str
    change: Change | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What runs cost.

    Attributes:
        service: The name of the service.
        tables: The tables.
        first_load: The first run, as far as it is known of each table.
        each_run: A later run in which nothing has changed, likewise.
        parallel_requests: The most requests in flight, which the seconds of both loads assume.
        is_measured: Whether pages were read, of all tables or of some.
        limits: What the service lets one user take, as far as it is documented.
        advice: What would make runs cheaper.
    """

    service: str
    tables: Sequence[TablePlan]
    first_load: Load
    each_run: Load
    parallel_requests: int
    is_measured: bool
    limits: Sequence[Limit]
    advice: Sequence[Advice]


def named(tables: Sequence[TablePlan]) -> str:
    """Name tables in a sentence.

    Args:
        tables: The tables.
    """
    return ", ".join(table.name for table in tables[:MOST_NAMED]) + more(len(tables))


def more(count: int) -> str:
    """Say how many are left out of the names in a sentence.

    Args:
        count: How many there are.
    """
    return f", and {count - MOST_NAMED:,} more" if count > MOST_NAMED else ""
