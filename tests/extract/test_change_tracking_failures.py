"""Change tracking with failures: only an expired token loses the token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox import client
from tests.tap import Run, Tap, reads, select

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox
    from tests.tap import Message

TABLE, SET, KEY = "account", "/accounts", "accountid"
OTHER = "teammembership"
DELETED_AT = "_sdc_deleted_at"
CHANGES = rf"{SET}\?.*deltatoken"
# Failures that may pass: a deadlock, a time-out of SQL, no worker for plug-ins.
PASSING = [
    *((code, 400) for code in ("0x80044150", "0x80044151", "0x8004418d")),
    *[("0x80044150", 500), ("0x80044151", 503), ("0x80044150", 429)],
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A Dynamics 365 of this module's own."""
    with client.running(rows=50, sizes={TABLE: 12, OTHER: 5}) as running:
        yield running


@pytest.fixture(scope="module")
def tap(sandbox: Sandbox) -> Tap:
    """The tap, for tables of several pages whose changes are tracked."""
    tables = {"tables": [TABLE, OTHER], "replication_method": "LOG_BASED"}
    return Tap({**sandbox.settings, **tables, "fetch_size": 5, "ws_retry_count": 1})


@pytest.fixture(scope="module")
def catalog(tap: Tap) -> Message:
    """Its catalog, with few columns."""
    return select(tap.discover(), {TABLE: ["name"], OTHER: []})


@pytest.fixture(scope="module")
def loaded(tap: Tap, catalog: Message) -> Run:
    """A first load."""
    return tap.sync(catalog=catalog)


def token(run: Run) -> str:
    """The delta token in the last state."""
    found: str = run.state["bookmarks"][TABLE]["delta_token"]
    return found


def change(service: Sandbox) -> tuple[str, str]:
    """Add a row, change one and delete one; give the keys of the last two."""
    service.insert(TABLE, [{"name": "Added"}])
    changed, deleted = (row[KEY] for row in service.rows(TABLE)[:2])
    service.update(TABLE, changed, {"name": "Changed"})
    service.delete(TABLE, deleted)
    return changed, deleted


def failed(run: Run) -> str:
    """What the log says of the table that failed, and only it."""
    assert run.status == 1, run.log
    first, last = run.logged("ERROR")
    assert f"'{TABLE}' failed" in first
    assert last.startswith("1 of 2 ")
    assert not any("in full" in line or "not tracked" in line for line in run.logged("WARNING"))
    return first


def assert_goes_on(service: Sandbox, tap: Tap, catalog: Message, state: Message) -> None:
    """The next run sends what has changed since the token, and does not read the table."""
    changed, deleted = change(service)
    service.clear_faults()
    service.clear_requests()
    run = tap.sync(catalog=catalog, state=state)
    asked = reads(service.requests(), SET.strip("/"))
    assert all("$deltatoken" in request["query"] for request in asked)
    sent = {row[KEY]: row for row in run.records(TABLE)}
    assert sent[changed]["name"] == "Changed"
    assert sent[deleted][DELETED_AT]
    assert not run.logged("WARNING")


@pytest.mark.parametrize(("code", "status"), PASSING)
def test_changes_behind_a_lasting_transient_failure_keep_their_token(  # noqa: PLR0913, PLR0917 - fixtures
    service: Sandbox, tap: Tap, catalog: Message, loaded: Run, code: str, status: int
) -> None:
    service.fault(CHANGES, status=status, code=code, retry_after="0", count=None)
    run = tap.run(catalog=catalog, state=loaded.state)
    assert code in failed(run)
    assert service.hits() == [2]
    assert token(run) == token(loaded)
    assert_goes_on(service, tap, catalog, run.state)


@pytest.mark.parametrize(
    "refusal",
    [
        {"code": "0x80040265", "message": "A plug-in says no."},
        {"code": "0x80060888", "message": "A query that is not understood."},
        {"code": "0x80072560", "status": 403},
    ],
    ids=lambda refusal: refusal["code"],
)
def test_changes_behind_a_refusal_of_something_else_keep_their_token(
    service: Sandbox, tap: Tap, catalog: Message, loaded: Run, refusal: dict[str, Any]
) -> None:
    service.fault(CHANGES, count=None, **{"status": 400, **refusal})
    run = tap.run(catalog=catalog, state=loaded.state)
    assert refusal["code"] in failed(run)
    assert service.hits() == [1]
    assert token(run) == token(loaded)
    assert_goes_on(service, tap, catalog, run.state)


@pytest.mark.parametrize(
    "refusal",
    [
        {"status": 400, "code": "0x80044352"},
        {"status": 410, "code": "0x80044352"},
        {"status": 500, "code": "-2147204270"},
        {"status": 400, "error_form": "no_code", "message": "Please perform a full sync."},
        {"status": 410, "body": ""},
    ],
    ids=["code", "code-410", "decimal-code-500", "words", "410"],
)
def test_changes_behind_an_expired_token_are_a_full_load(
    service: Sandbox, tap: Tap, catalog: Message, loaded: Run, refusal: dict[str, Any]
) -> None:
    _, deleted = change(service)
    service.fault(CHANGES, **refusal)
    run = tap.sync(catalog=catalog, state=loaded.state)
    (warning,) = run.logged("WARNING")
    assert f"'{TABLE}'" in warning
    assert {row[KEY] for row in run.records(TABLE)} == {row[KEY] for row in service.rows(TABLE)}
    assert deleted not in {row[KEY] for row in run.records(TABLE)}
    (activated,) = [m["version"] for m in run.messages if m["type"] == "ACTIVATE_VERSION"]
    assert activated > loaded.state["bookmarks"][TABLE]["version"]
    assert token(run) != token(loaded)


def test_changes_since_a_token_that_is_none_are_a_full_load(
    service: Sandbox, tap: Tap, catalog: Message, loaded: Run
) -> None:
    bookmark = {**loaded.state["bookmarks"][TABLE], "delta_token": "of another environment"}
    run = tap.sync(catalog=catalog, state={"bookmarks": {TABLE: bookmark}})
    (warning,) = run.logged("WARNING")
    assert "of another environment" in warning
    assert {row[KEY] for row in run.records(TABLE)} == {row[KEY] for row in service.rows(TABLE)}
    assert "!" in token(run)


@pytest.mark.parametrize("skip", [0, 1, 4], ids=["first-page", "ids", "rows"])
def test_first_load_behind_a_lasting_transient_failure_is_resumed_with_deletes(
    service: Sandbox, tap: Tap, catalog: Message, skip: int
) -> None:
    """It is no reason to read the table by another method."""
    service.fault(SET, status=400, code="0x80044150", retry_after="0", skip=skip, count=None)
    run = tap.but(max_parallel_requests=1).run(catalog=catalog)
    assert "0x80044150" in failed(run)
    service.clear_faults()
    _, deleted = change(service)
    again = tap.sync(catalog=catalog, state=run.state)
    sent = {row[KEY]: row for one in (run, again) for row in one.records(TABLE)}
    living = {key for key, row in sent.items() if not row.get(DELETED_AT)}
    assert living == {row[KEY] for row in service.rows(TABLE)}
    assert deleted not in living
    assert token(again)
    assert not again.logged("WARNING")


def test_first_load_that_is_not_understood_is_read_without_tracking(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    words = {"code": "0x80060888", "message": "Tracking is not understood here."}
    service.fault(SET, status=400, **words)
    run = tap.sync(catalog=catalog)
    (warning,) = run.logged("WARNING")
    assert f"'{TABLE}' was read INCREMENTAL, without deletes" in warning
    assert words["message"] in warning
    assert {row[KEY] for row in run.records(TABLE)} == {row[KEY] for row in service.rows(TABLE)}
    assert "delta_token" not in run.state["bookmarks"][TABLE]
