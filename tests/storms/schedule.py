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
        route: A pattern of the URLs to hit, as for the sandbox.
        skip: The number of matching requests before the first that is hit.
        count: The number of requests to hit; None means all.
        probability: The share of matching requests that are hit.
        seed: The seed of the random choice.
    """

    sort: str
    kind: str
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
            **KINDS[self.sort][self.kind],
        }

    @property
    def retry_after(self) -> float:
        """The seconds of its Retry-After header, or 0."""
        return float(KINDS[self.sort][self.kind].get("retry_after") or 0)


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


DATA_ROUTES = [f"/{name}?" for name in SETS.values()]
ROUTES = ["", "/token", "/api/data/", *DATA_ROUTES]
METADATA_ROUTES = ["$metadata", "EntityDefinitions", "RetrieveMetadataChanges"]

_skips = st.integers(0, 5)


def _kinds(sort: str, routes: list[str]) -> SearchStrategy[tuple[str, str]]:
    """Draw a kind and a route; error codes of the service only occur on its routes."""

    def where(kind: str) -> SearchStrategy[tuple[str, str]]:
        of_service = is_of_service(KINDS[sort][kind])
        fitting = [route for route in routes if route not in {"", "/token"}]
        return st.tuples(st.just(kind), st.sampled_from(fitting if of_service else routes))

    # Drawn with equal probability, although there are many more kinds with codes than without.
    coded, others = [], []
    for kind, attributes in KINDS[sort].items():
        (coded if is_of_service(attributes) else others).append(kind)
    choices = [st.sampled_from(kinds) for kinds in (coded, others) if kinds]
    return st.one_of(choices).flatmap(where)


def _faults(sort: str, routes: list[str]) -> SearchStrategy[Fault]:
    return st.builds(
        lambda kind, *more: Fault(sort, *kind, *more),
        _kinds(sort, routes),
        _skips,
        st.integers(1, 3),
        st.sampled_from([1.0, 1.0, 0.3]),
        st.integers(0, 999),
    )


_any = st.one_of(*(_faults(sort, ROUTES) for sort in (THROTTLED, FAILED, TOO_MUCH, HARMLESS)))
_before_rows = _faults(THROTTLED, METADATA_ROUTES) | _faults(FAILED, METADATA_ROUTES)
_heavy = st.builds(
    Fault,
    st.just(HEAVY),
    st.sampled_from([*KINDS[HEAVY]]),
    # Requests for pages, not those for the largest value of a key.
    st.sampled_from([rf"/{name}\?(?!.*\$top)" for name in SETS.values()]),
    count=st.none(),
)
_refused = st.builds(
    Fault, st.just(REFUSED), st.sampled_from([*KINDS[REFUSED]]), st.just("/api/data/"), _skips
)
_misled = st.builds(
    Fault, st.just(MISLED), st.sampled_from([*KINDS[MISLED]]), st.sampled_from(DATA_ROUTES), _skips
)
_final = st.builds(lambda kind, skip: Fault(FINAL, *kind, skip), _kinds(FINAL, DATA_ROUTES), _skips)
_endless = st.builds(
    lambda kind, skip: Fault(FAILED, *kind, skip, None),
    _kinds(FAILED, ["/token", *DATA_ROUTES]),
    _skips,
)
#: Faults in a run of the simulation, which may last until its end.
run_faults: SearchStrategy[list[Fault]] = st.lists(
    _any | _any | _any | _endless | _refused, min_size=1, max_size=3
)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Draw schedules; with most of them a run succeeds."""
    faults = draw(st.lists(_any, min_size=1, max_size=4))
    discover = draw(st.integers(0, 9)) == 0
    if discover:
        faults = draw(st.lists(_before_rows, max_size=2)) + faults
    # At most once: a token that is refused twice in a row is not a transient failure.
    if draw(st.integers(0, 3)) == 0:
        faults.insert(0, draw(_refused))
    if draw(st.integers(0, 4)) == 0:
        faults.append(draw(_heavy))
    if draw(st.integers(0, 4)) == 0:
        faults.insert(0, draw(_misled))
    if draw(st.integers(0, 9)) == 0:
        faults.insert(0, draw(_final))
    # Before the others, so that none of them takes precedence.
    if draw(st.integers(0, 5)) == 0:
        faults.insert(0, draw(_endless))
    cut = draw(st.floats(0, 1)) if draw(st.integers(0, 4)) == 0 else None
    return Schedule(tuple(faults), discover, cut)


#: Each transient failure with an error code that comes with status 400.
transient_with_status_400 = [
    Schedule((Fault(sort, kind, f"/{SETS['lead']}?", skip=1),), discover=False, cut=None)
    for sort in (THROTTLED, FAILED, TOO_MUCH)
    for kind, attributes in KINDS[sort].items()
    if attributes.get("status") == HTTPStatus.BAD_REQUEST
]
