"""What may go wrong in a run: faults of all kinds on all routes, by count and by chance."""

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
# One table is known by date, one by version number, one has no replication key.
SETS = {
    "lead": "leads",
    "teammembership": "teammemberships",
    "bulkdeletefailure": "bulkdeletefailures",
}
ROWS = {"lead": 11, "teammembership": 9, "bulkdeletefailure": 7}
FETCH_SIZE = 3
RETRIES = 3
# Of the tap's seconds in one: waits that it chooses itself are whole seconds.
SPEED = 400.0


@dataclass(frozen=True)
class Fault:
    """One order to the sandbox.

    Attributes:
        sort: What the tap does about it.
        kind: What is to happen.
        route: Part of the address of the requests to hit, as the sandbox takes it.
        skip: How many of those to let through first.
        count: How many to hit; None means all.
        probability: The share of those that are hit.
        seed: Draws them.
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
        """The attributes of `sandbox.faults.fault.Fault`."""
        return {
            "path": self.route,
            "skip": self.skip,
            "count": self.count,
            "probability": self.probability,
            "seed": self.seed,
            **KINDS[self.sort][self.kind],
        }

    @property
    def asked(self) -> float:
        """The seconds that it asks a request to wait."""
        return float(KINDS[self.sort][self.kind].get("retry_after") or 0)


@dataclass(frozen=True)
class Schedule:
    """What goes wrong in a run.

    Attributes:
        faults: In the order in which they take precedence.
        discover: Whether the run makes its catalog itself.
        cut: At which part of its messages the run is thought to have been cut off, if at all.
    """

    faults: tuple[Fault, ...]
    discover: bool
    cut: float | None


DATA_ROUTES = [f"/{name}?" for name in SETS.values()]
ROUTES = ["", "/token", "/api/data/", *DATA_ROUTES]
METADATA_ROUTES = ["$metadata", "EntityDefinitions", "RetrieveMetadataChanges"]

_skips = st.integers(0, 5)


def _kinds(sort: str, routes: list[str]) -> SearchStrategy[tuple[str, str]]:
    """Draw what goes wrong, and where: codes and words are those of the service."""

    def where(kind: str) -> SearchStrategy[tuple[str, str]]:
        of_service = is_of_service(KINDS[sort][kind])
        fitting = [route for route in routes if route not in {"", "/token"}]
        return st.tuples(st.just(kind), st.sampled_from(fitting if of_service else routes))

    # Not by their number: there are many codes, each with many statuses.
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
    # Of pages, and not of the greatest value of a key.
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
#: What goes wrong in a run of a history, and may do so until its end.
weather: SearchStrategy[list[Fault]] = st.lists(
    _any | _any | _any | _endless | _refused, min_size=1, max_size=3
)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Make schedules up; most of them are such that a run comes to its end."""
    faults = draw(st.lists(_any, min_size=1, max_size=4))
    discover = draw(st.integers(0, 9)) == 0
    if discover:
        faults = draw(st.lists(_before_rows, max_size=2)) + faults
    # Once: a token that is refused twice in a row is no failure that passes.
    if draw(st.integers(0, 3)) == 0:
        faults.insert(0, draw(_refused))
    if draw(st.integers(0, 4)) == 0:
        faults.append(draw(_heavy))
    if draw(st.integers(0, 4)) == 0:
        faults.insert(0, draw(_misled))
    if draw(st.integers(0, 9)) == 0:
        faults.insert(0, draw(_final))
    # Before the others, lest one of them take a request from it.
    if draw(st.integers(0, 5)) == 0:
        faults.insert(0, draw(_endless))
    cut = draw(st.floats(0, 1)) if draw(st.integers(0, 4)) == 0 else None
    return Schedule(tuple(faults), discover, cut)


#: Each failure that passes and has a code, once with the status of a refusal.
with_a_refusals_status = [
    Schedule((Fault(sort, kind, f"/{SETS['lead']}?", skip=1),), discover=False, cut=None)
    for sort in (THROTTLED, FAILED, TOO_MUCH)
    for kind, attributes in KINDS[sort].items()
    if attributes.get("status") == HTTPStatus.BAD_REQUEST
]
