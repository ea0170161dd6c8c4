"""Schedules of faults: all kinds on all routes, by count and by probability."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from sandbox.faults.mishaps import (
    FAILED,
    FINAL,
    HARMLESS,
    HEAVY,
    KINDS,
    MISLED,
    REFUSED,
    THROTTLED,
    TOO_MUCH,
    Attributes,
    is_of_service,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

INCREMENTAL, LOG_BASED, FULL_TABLE = "INCREMENTAL", "LOG_BASED", "FULL_TABLE"
# Replication keys: a date, a version number, none.
SETS = {
    "lead": "leads",
    "teammembership": "teammemberships",
    "bulkdeletefailure": "bulkdeletefailures",
}
ROWS = {"lead": 11, "teammembership": 9, "bulkdeletefailure": 7}
FETCH_SIZE = 3
RETRIES = 3
# The number of the tap's seconds that pass in one second: its own waits take seconds.
SPEED = 400.0


@dataclass(frozen=True)
class Fault:
    """A fault of the sandbox.

    Attributes:
        sort: The sort of failure, which decides how the tap reacts.
        kind: The kind within the sort.
        attributes: What happens, as attributes of `sandbox.faults.fault.Fault`.
        route: A pattern of the URLs to hit, as for the sandbox.
        skip: The number of matching requests before the first that is hit.
        count: The number of requests to hit; None means all.
        probability: The share of matching requests that are hit.
        seed: The seed of the random choice.
    """

    sort: str
    kind: str
    attributes: Attributes
    route: str
    skip: int = 0
    count: int | None = 1
    probability: float = 1.0
    seed: int = 0

    @property
    def order(self) -> Attributes:
        """The fault as the attributes of `sandbox.faults.fault.Fault`."""
        return {
            "path": self.route,
            "skip": self.skip,
            "count": self.count,
            "probability": self.probability,
            "seed": self.seed,
            **self.attributes,
        }

    @property
    def retry_after(self) -> float:
        """The seconds of its Retry-After header, or 0."""
        return float(self.attributes.get("retry_after") or 0)


@dataclass(frozen=True)
class Schedule:
    """The faults of one run.

    Attributes:
        faults: The faults, in order of precedence.
        discover: Whether the run discovers the catalog instead of reading it.
        cut: The fraction of its messages after which the run is assumed to be cut off, or None.
    """

    faults: tuple[Fault, ...]
    discover: bool
    cut: float | None


_skips = st.integers(0, 5)


class Strategies:
    """Draws the faults of one service.

    Args:
        kinds: The catalogue of its faults.
        root: The path of the service.
        sets: The entity sets that are read.
        metadata: Patterns of the requests before those for rows.

    Attributes:
        run_faults: Faults in a run of the simulation, which may last until its end.
        schedules: Schedules; with most of them a run succeeds.
    """

    def __init__(
        self,
        kinds: Mapping[str, Mapping[str, Attributes]],
        root: str,
        sets: Sequence[str],
        metadata: list[str],
    ) -> None:
        self._by_sort = kinds
        data = [f"/{name}?" for name in sets]
        routes = ["", "/token", root, *data]
        any_fault = st.one_of(
            *(self._many(sort, routes) for sort in (THROTTLED, FAILED, TOO_MUCH, HARMLESS))
        )
        endless = self._one(FAILED, ["/token", *data], count=None)
        refused = self._one(REFUSED, [root])
        self.run_faults: SearchStrategy[list[Fault]] = st.lists(
            any_fault | any_fault | any_fault | endless | refused, min_size=1, max_size=3
        )
        # Requests for pages, not those for the largest value of a key.
        pages = [rf"/{name}\?(?!.*\$top=1$)" for name in sets]
        # The first of them takes precedence.
        rare = [
            (endless, 5),
            (self._one(FINAL, data), 9),
            (self._one(MISLED, data), 4),
            # At most once: a token that is refused twice in a row is not a transient failure.
            (refused, 3),
        ]
        before_rows = st.one_of(*(self._many(sort, metadata) for sort in (THROTTLED, FAILED)))
        heavy = self._one(HEAVY, pages, st.just(0), count=None)

        @st.composite
        def schedules(draw: st.DrawFn) -> Schedule:
            first = [draw(fault) for fault, odds in rare if draw(st.integers(0, odds)) == 0]
            discover = draw(st.integers(0, 9)) == 0
            first += draw(st.lists(before_rows, max_size=2)) if discover else []
            faults = [*first, *draw(st.lists(any_fault, min_size=1, max_size=4))]
            if draw(st.integers(0, 4)) == 0:
                faults.append(draw(heavy))
            cut = draw(st.floats(0, 1)) if draw(st.integers(0, 4)) == 0 else None
            return Schedule(tuple(faults), discover, cut)

        self.schedules: SearchStrategy[Schedule] = schedules()

    def _kinds(self, sort: str, routes: list[str]) -> SearchStrategy[tuple[str, Attributes, str]]:
        """Draw a kind and a route; error codes of the service only occur on its routes."""
        kinds = self._by_sort[sort]

        def where(kind: str) -> SearchStrategy[tuple[str, Attributes, str]]:
            of_service = is_of_service(kinds[kind])
            fitting = [route for route in routes if route not in {"", "/token"}]
            route = st.sampled_from(fitting if of_service else routes)
            return st.tuples(st.just(kind), st.just(kinds[kind]), route)

        # Drawn with equal probability, although there are many more kinds with codes than without.
        coded, others = [], []
        for kind, attributes in kinds.items():
            (coded if is_of_service(attributes) else others).append(kind)
        choices = [st.sampled_from(found) for found in (coded, others) if found]
        return st.one_of(choices).flatmap(where)

    def _one(
        self,
        sort: str,
        routes: list[str],
        skips: SearchStrategy[int] = _skips,
        *,
        count: int | None = 1,
    ) -> SearchStrategy[Fault]:
        """Draw a fault of some requests one after the other."""
        return st.builds(
            lambda kind, skip: Fault(sort, *kind, skip, count), self._kinds(sort, routes), skips
        )

    def _many(self, sort: str, routes: list[str]) -> SearchStrategy[Fault]:
        """Draw a fault of up to three requests, or of some of them."""
        return st.builds(
            lambda kind, *more: Fault(sort, *kind, *more),
            self._kinds(sort, routes),
            _skips,
            st.integers(1, 3),
            st.sampled_from([1.0, 1.0, 0.3]),
            st.integers(0, 999),
        )


DATAVERSE = Strategies(
    KINDS,
    "/api/data/",
    [*SETS.values()],
    ["$metadata", "EntityDefinitions", "RetrieveMetadataChanges"],
)

# The faults of a run hit every second request: those between are the retries.
FAULTS = RETRIES


def _one_after_another(sort: str, kinds: list[str]) -> Schedule:
    """Make a schedule of faults of one set, each of which hits one request."""
    found = [
        Fault(sort, kind, KINDS[sort][kind], f"/{SETS['lead']}?", skip=number)
        for number, kind in enumerate(kinds, 1)
    ]
    return Schedule(tuple(found), discover=False, cut=None)


def _with_status_400(sort: str) -> list[str]:
    """Name the failures of a sort with an error code that comes with status 400."""
    kinds = KINDS[sort].items()
    return [kind for kind, each in kinds if each.get("status") == HTTPStatus.BAD_REQUEST]


#: Each transient failure with an error code that comes with status 400.
transient_with_status_400 = [
    _one_after_another(sort, kinds[start : start + FAULTS])
    for sort in (THROTTLED, FAILED, TOO_MUCH)
    for kinds in [_with_status_400(sort)]
    for start in range(0, len(kinds), FAULTS)
]
