"""Filters at the source: which requests carry them, and what a change of a filter does."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import client
from tap_dynamics365.library import Dynamics365
from tap_dynamics365.settings.environment import PREFIX
from tests.tap import Message, Run, Tap, choose, entry, own_metadata, reads, select

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox

STREAM, SET, KEY = "contact", "contacts", "contactid"
ACTIVE, INACTIVE = "statecode eq 0", "statecode eq 1"
# Filters that the service refuses, with the words about them.
REFUSED = {
    "statecode equals 0": "The query contains the filter of 'contact': check it.",
    "nosuchcolumn eq 0": "names 'nosuchcolumn', which is not a column of the service",
}
VALUE = "replication_key_value"
VIRTUAL, LATE = "new_externalorder", "modifiedon ge 2000-01-01T00:00:00Z"


@pytest.fixture
def tap(service: Sandbox, way: dict[str, Any]) -> Tap:
    """The tap set up for a table of several pages with a filter, and a table without."""
    tables = [STREAM, "team"]
    given = {"fetch_size": 40, "tables": tables, "filters": {STREAM: ACTIVE}}
    return Tap({**service.settings, **way, **given})


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox) -> Message:
    """Its catalog in any Dynamics 365, with few columns."""
    found = Tap({**sandbox.settings, "tables": [STREAM, "team"]}).discover()
    return select(found, {STREAM: ["statecode"], "team": ["name"]})


def by(catalog: Message, method: str) -> Message:
    """Have the table with a filter replicated by a method."""
    chosen: Message = json.loads(json.dumps(catalog))
    own_metadata(entry(chosen, STREAM))["replication-method"] = method
    return chosen


def keys(run: Run, stream: str = STREAM) -> set[str]:
    """The keys of the rows that were sent."""
    return {row[f"{stream}id"] for row in run.records(stream)}


def stored(service: Sandbox, *states: int) -> set[str]:
    """The keys of the rows that the service has, in some states."""
    return {row[KEY] for row in service.rows(STREAM) if row["statecode"] in states}


def asked(service: Sandbox, entity_set: str = SET) -> list[str]:
    """The filters of all requests for rows of a table, with those for the greatest key."""
    return [
        request["query"].get("$filter", "")
        for request in service.requests()
        if request["path"].endswith(f"/{entity_set}")
    ]


@pytest.mark.parametrize("method", ["INCREMENTAL", "FULL_TABLE"])
def test_rows_of_a_table_with_a_filter_are_those_that_fulfil_it(
    service: Sandbox, tap: Tap, catalog: Message, method: str
) -> None:
    catalog = by(catalog, method)
    run = tap.sync(catalog=catalog)
    assert keys(run) == stored(service, 0)
    assert len(run.records(STREAM)) == len(keys(run))
    assert keys(run, "team") == {row["teamid"] for row in service.rows("team")}
    filters = asked(service)
    # Several pages, and the greatest value of the key.
    assert len(filters) > 3
    assert all(f"({ACTIVE})" in text or text == ACTIVE for text in filters)
    assert not any(ACTIVE in text for text in asked(service, "teams"))
    assert not run.logged("WARNING")


def test_ranges_of_a_table_with_a_filter_carry_it(service: Sandbox, catalog: Message) -> None:
    tap = Tap({**service.settings, "fetch_size": 10, "filters": {"CONT*": ACTIVE}})
    run = tap.sync(catalog=select(catalog, {STREAM: []}))
    assert keys(run) == stored(service, 0)
    (greatest,) = [r for r in service.requests() if "$top" in r["query"]]
    assert greatest["query"]["$filter"] == ACTIVE
    ranges = [text for text in asked(service) if " lt " in text]
    assert len(ranges) > 2
    assert all(text.endswith(f" and ({ACTIVE})") for text in ranges)


def test_later_run_with_a_filter_carries_it_with_the_bookmark(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    first = tap.sync(catalog=catalog)
    service.clear_requests()
    second = tap.sync(catalog=catalog, state=first.state)
    (text,) = asked(service)
    assert text.startswith("modifiedon ge ")
    assert text.endswith(f" and ({ACTIVE})")
    assert keys(second) < keys(first)
    assert second.state == first.state


def test_continuation_by_values_and_the_rows_without_a_key_carry_the_filter(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    # A page that is too large is requested again with fewer rows, after the last row.
    tap = tap.but(max_parallel_requests=1)
    service.fault(SET, status=500, code="0x80044151", skip=1, count=1)
    run = tap.sync(catalog=catalog)
    assert keys(run) == stored(service, 0)
    assert any(" gt " in text and text.endswith(f" and ({ACTIVE})") for text in asked(service))
    del run.state["bookmarks"][STREAM]["replication_key_nulls"]
    service.clear_requests()
    tap.sync(catalog=catalog, state=run.state)
    assert f"modifiedon eq null and ({ACTIVE})" in asked(service)


def test_connection_test_of_a_table_with_a_filter_carries_it(
    service: Sandbox, catalog: Message
) -> None:
    tap = Tap({**service.settings, "filters": {STREAM: ACTIVE, "nosuch*": ACTIVE}})
    run = tap.run("--test", catalog=catalog)
    assert run.status == 0, run.log
    assert asked(service) == [f"({ACTIVE})"]
    assert [row["statecode"] for row in run.records(STREAM)] == [0]
    (warning,) = run.logged("WARNING")
    assert warning == "No selected table matches 'nosuch*' of the setting filters."


def test_filter_of_no_selected_table_is_named_in_one_warning(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    tap = tap.but(filters={STREAM: ACTIVE, "t?am": "isdefault eq true", "account": ACTIVE})
    run = tap.sync(catalog=select(catalog, {"team": ["name"]}))
    assert sorted(run.logged("WARNING")) == [
        "No selected table matches 'account' of the setting filters.",
        "No selected table matches 'contact' of the setting filters.",
    ]
    assert keys(run, "team") == {r["teamid"] for r in service.rows("team") if r["isdefault"]}


def test_library_reads_the_rows_that_fulfil_the_filter(service: Sandbox) -> None:
    settings = {**service.settings, "fetch_size": 50, "filters": {STREAM: ACTIVE}}
    with Dynamics365(settings) as opened:
        assert {row[KEY] for row in opened.rows(STREAM, [KEY])} == stored(service, 0)
    assert all(ACTIVE in text for text in asked(service))


def test_filter_of_a_log_based_table_is_refused_before_anything_is_read(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    chosen = choose(catalog, STREAM, replication_method="LOG_BASED")
    run = tap.run(catalog=chosen)
    assert run.refusal() == (
        "'contact' can't be replicated LOG_BASED with the filter that the setting filters has for "
        "it, because change tracking does not support filters: choose INCREMENTAL for it in the "
        "catalog, or remove the filter."
    )
    assert not run.output
    assert not asked(service)
    # A table that is not selected hinders nothing.
    own_metadata(entry(chosen, STREAM))["selected"] = False
    own_metadata(entry(chosen, "team"))["selected"] = True
    assert tap.sync(catalog=chosen).counts["team"]


@pytest.mark.parametrize("method", ["INCREMENTAL", "FULL_TABLE"])
@pytest.mark.parametrize("expression", REFUSED)
def test_filter_that_the_service_refuses_fails_its_table_alone(
    service: Sandbox, tap: Tap, catalog: Message, method: str, expression: str
) -> None:
    catalog = by(catalog, method)
    run = tap.but(filters={STREAM: expression}).run(catalog=catalog)
    assert run.status == 1
    (error,) = [text for text in run.logged("ERROR") if "'contact' failed" in text]
    assert REFUSED[expression] in error
    assert not run.logged("WARNING")
    assert STREAM not in run.counts
    assert keys(run, "team") == {row["teamid"] for row in service.rows("team")}
    # With the order, and without it.
    assert len(asked(service)) <= 2
    assert all(expression in text for text in asked(service))


def test_selected_column_that_left_and_is_in_the_filter_fails_the_table(
    changing_sandbox: Sandbox, way: dict[str, Any]
) -> None:
    service = changing_sandbox
    given = {"tables": ["account"], "filters": {"account": "fax ne null"}}
    tap = Tap({**service.settings, **way, **given})
    catalog = select(tap.discover(), {"account": ["fax"]})
    service.drop_column("account", "fax")
    run = tap.run(catalog=catalog)
    assert "names 'fax', which is not a column of the service" in run.refusal()
    assert not run.logged("WARNING")


@pytest.mark.parametrize("provider", ["refuses_order", "refuses_filter"])
def test_virtual_table_with_a_filter_is_never_read_without_it(
    service: Sandbox, way: dict[str, Any], provider: str
) -> None:
    service.configure(virtual_provider=provider)
    given = {"fetch_size": 7, "tables": [VIRTUAL], "filters": {VIRTUAL: LATE}}
    tap = Tap({**service.settings, **way, **given})
    catalog = tap.discover()
    run = tap.run(catalog=catalog)
    assert all(LATE in text for text in asked(service, f"{VIRTUAL}s"))
    if provider == "refuses_order":
        assert run.status == 0, run.log
        assert keys(run, VIRTUAL) == {row[f"{VIRTUAL}id"] for row in service.rows(VIRTUAL)}
    else:
        assert "does not support the query option Filter" in run.refusal()
        assert "check it" in run.refusal()


SPECIAL = [
    "A+B & C # 100% = ?",
    "Größe/Ω 年 😀",
    "O'Brien; (x",
    "a\nb\tc",
    "$filter=%41%2B",
    '"quoted"',
]


def test_special_characters_in_a_filter_select_their_row(
    changing_sandbox: Sandbox, way: dict[str, Any]
) -> None:
    service = changing_sandbox
    service.insert("account", [{"name": name} for name in SPECIAL])
    for name in SPECIAL:
        text = name.replace("'", "''")
        given = {"tables": ["account"], "filters": {"account": f"name eq\n  '{text}'\n"}}
        run = Tap({**service.settings, **way, **given}).sync()
        assert [row["name"] for row in run.records("account")] == [name]


def test_filters_in_a_variable_apply(service: Sandbox, catalog: Message) -> None:
    value = json.dumps({STREAM: INACTIVE})
    given = {f"{PREFIX}{name.upper()}": str(text) for name, text in service.settings.items()}
    run = Tap({}, {**given, f"{PREFIX}FILTERS": value}).run("--config=ENV", catalog=catalog)
    assert keys(run) == stored(service, 1)


# Changes of a filter.


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


def test_row_that_leaves_or_enters_the_filter_is_sent_only_if_it_enters(
    changing_sandbox: Sandbox, tap: Tap, catalog: Message
) -> None:
    service = changing_sandbox
    tap = tap.but(**service.settings)
    first = tap.sync(catalog=catalog)
    leaving, entering = min(stored(service, 0)), min(stored(service, 1))
    service.update(STREAM, leaving, {"statecode": 1})
    service.update(STREAM, entering, {"statecode": 0})
    second = tap.sync(catalog=catalog, state=first.state)
    assert entering in keys(second)
    assert leaving not in keys(second)


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
