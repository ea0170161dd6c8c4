"""Changes of a filter between two runs, which are noted in the state."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import client
from tests.filters import ACTIVE, GIVEN, INACTIVE, STREAM, asked, by, discover, keys, stored
from tests.tap import Message, Run, Tap, choose, reads, select

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox

VALUE = "replication_key_value"


@pytest.fixture
def tap(service: Sandbox, way: dict[str, Any]) -> Tap:
    """The tap set up for a table with a filter, and a table without."""
    return Tap({**service.settings, **way, **GIVEN})


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox) -> Message:
    """Its catalog in any Dynamics 365, with few columns."""
    return discover(sandbox)


def digest(run: Run) -> str | None:
    """What the state says of the filter."""
    found: str | None = run.state["bookmarks"][STREAM].get("filter_digest")
    return found


@pytest.mark.parametrize(
    "change",
    [(None, ACTIVE), (ACTIVE, None), (ACTIVE, INACTIVE)],
    ids=["added", "removed", "altered"],
)
@pytest.mark.parametrize("method", ["INCREMENTAL", "FULL_TABLE"])
def test_change_of_a_filter_is_logged_and_reads_the_table_anew(
    service: Sandbox,
    tap: Tap,
    catalog: Message,
    change: tuple[str | None, str | None],
    method: str,
) -> None:
    catalog = by(catalog, method)
    before, after = change
    first, second = (tap.but(filters={STREAM: text} if text else None) for text in (before, after))
    run = first.sync(catalog=catalog)
    assert bool(digest(run)) is bool(before)
    service.clear_requests()
    again = second.sync(catalog=catalog, state=run.state)
    expected = {
        None: stored(service, 0, 1),
        ACTIVE: stored(service, 0),
        INACTIVE: stored(service, 1),
    }
    assert keys(again) == expected[after]
    (warning,) = again.logged("WARNING")
    assert warning.startswith(
        "The filter of 'contact' has changed since the run before, so the table is read from its "
        "beginning."
    )
    assert ("stay there" in warning) is bool(after)
    assert bool(digest(again)) is bool(after)
    assert digest(again) != digest(run)
    assert "modifiedon ge" not in "".join(asked(service)[:1])
    third = second.sync(catalog=catalog, state=again.state)
    assert not third.logged("WARNING")
    assert (keys(third) < keys(again)) is (method == "INCREMENTAL")


def test_start_date_still_applies_after_a_change_of_a_filter(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    tap = tap.but(start_date="2025-01-01T00:00:00Z")
    run = tap.sync(catalog=catalog)
    service.clear_requests()
    tap.but(filters={STREAM: INACTIVE}).sync(catalog=catalog, state=run.state)
    assert asked(service)[0].startswith("modifiedon ge 2025-01-01T00:00:00Z and (statecode")


def test_filter_that_is_written_in_other_lines_or_letter_case_of_its_key_is_the_same(
    tap: Tap, catalog: Message
) -> None:
    run = tap.sync(catalog=catalog)
    again = tap.but(filters={"CONTACT": " statecode\n  eq  0\n"})
    second = again.sync(catalog=catalog, state=run.state)
    assert not second.logged("WARNING")
    assert second.state == run.state


def test_table_without_a_filter_has_nothing_about_it_in_the_state(
    tap: Tap, catalog: Message
) -> None:
    run = tap.sync(catalog=catalog)
    assert digest(run) is not None
    assert len(digest(run) or "") == 16
    assert "filter" not in json.dumps(run.state["bookmarks"]["team"])


def test_change_to_log_based_without_the_filter_loads_the_table_anew(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    run = tap.sync(catalog=catalog)
    chosen = choose(catalog, STREAM, replication_method="LOG_BASED")
    unfiltered = tap.but(filters=None)
    tracked = unfiltered.sync(catalog=chosen, state=run.state)
    assert keys(tracked) == stored(service, 0, 1)
    assert tracked.state["bookmarks"][STREAM]["delta_token"]
    back = tap.sync(catalog=choose(catalog, STREAM), state=tracked.state)
    assert keys(back) == stored(service, 0)
    assert "delta_token" not in back.state["bookmarks"][STREAM]


def test_full_table_with_a_version_is_activated_after_a_change_of_a_filter(
    tap: Tap, catalog: Message
) -> None:
    chosen = choose(catalog, STREAM, replication_method="FULL_TABLE")
    tap = tap.but(emit_activate_version_messages=True)
    run = tap.sync(catalog=chosen)
    again = tap.but(filters={STREAM: INACTIVE}).sync(catalog=chosen, state=run.state)
    versions = [
        [m["version"] for m in each.messages if m["type"] == "ACTIVATE_VERSION"]
        for each in (run, again)
    ]
    assert [len(found) for found in versions] == [1, 1]
    assert versions[0] < versions[1]
    assert {m["version"] for m in again.messages if m["type"] == "RECORD"} == {*versions[1]}
    (warning,) = again.logged("WARNING")
    assert "stay there" not in warning


# First loads that were interrupted.

BY_DATE, MANY = "new_größe", 26_000


@pytest.fixture(scope="module")
def large() -> Iterator[Sandbox]:
    """A Dynamics 365 with one table of many rows."""
    with client.running(rows=MANY, table=BY_DATE) as running:
        yield running


def until_killed(tap: Tap, catalog: Message, lines: int) -> Run:
    """Run a first load and kill it after a number of lines."""
    with TemporaryDirectory() as folder:
        process = tap.start(Path(folder), catalog=catalog)
        try:
            output = process.stdout or ()
            written = [line.decode() for line in itertools.islice(output, lines)]
        finally:
            process.kill()
            process.communicate()
    assert len(written) == lines
    return Run(process.returncode, "".join(written), "")


def test_first_load_with_a_filter_is_resumed_and_begins_again_with_another_filter(
    large: Sandbox, mode: dict[str, Any]
) -> None:
    id_ = f"{BY_DATE}id"
    rows = {row[id_]: row["type"] for row in large.rows(BY_DATE) if row["type"] is not None}
    low = {key for key, value in rows.items() if value <= 500}
    given = {"tables": [BY_DATE], "fetch_size": 1_000, "filters": {BY_DATE: "type le 500"}}
    tap = Tap({**large.settings, **mode, **given})
    catalog = select(tap.discover(), {BY_DATE: ["type"]})
    part = until_killed(tap, catalog, len(low) // 2)
    sent = {row[id_] for row in part.records(BY_DATE)}
    assert part.state["bookmarks"][BY_DATE][VALUE]
    assert sent < low
    rest = tap.sync(catalog=catalog, state=part.state)
    assert rest.counts[BY_DATE] < len(low)
    assert sent | {row[id_] for row in rest.records(BY_DATE)} == low
    large.clear_requests()
    other = tap.but(filters={BY_DATE: "type gt 500"}).sync(catalog=catalog, state=part.state)
    assert {row[id_] for row in other.records(BY_DATE)} == {*rows} - low
    assert reads(large.requests())[0]["query"]["$filter"] == "(type gt 500)"
