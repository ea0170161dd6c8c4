"""Filters at the source: which requests carry them, and what the service refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamics365.library import Dynamics365
from tap_dynamics365.settings.environment import PREFIX
from tests.filters import (
    ACTIVE,
    GIVEN,
    INACTIVE,
    KEY,
    SET,
    STREAM,
    asked,
    by,
    discover,
    keys,
    stored,
)
from tests.tap import Message, Tap, choose, select

if TYPE_CHECKING:
    from sandbox.client import Sandbox

# Filters that the service refuses, with the words about them.
REFUSED = {
    "statecode equals 0": "The query contains the filter of 'contact': check it.",
    "nosuchcolumn eq 0": "names 'nosuchcolumn', which is not a column of the service",
}
VIRTUAL, LATE = "new_externalorder", "modifiedon ge 2000-01-01T00:00:00Z"
# A table that is tracked, but not selected by default.
PRIVATE = "principalobjectaccess"


@pytest.fixture
def tap(service: Sandbox, way: dict[str, Any]) -> Tap:
    """The tap set up for a table with a filter, and a table without."""
    return Tap({**service.settings, **way, **GIVEN})


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox) -> Message:
    """Its catalog in any Dynamics 365, with few columns."""
    return discover(sandbox)


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
    (nulls,) = [text for text in asked(service) if "modifiedon eq null" in text]
    assert sorted(nulls.split(" and ")) == [f"({ACTIVE})", "modifiedon eq null"]


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


def test_filter_of_a_log_based_table_that_is_not_selected_hinders_nothing(
    service: Sandbox, tap: Tap
) -> None:
    given = {"tables": [PRIVATE, "team"], "replication_method": "LOG_BASED"}
    run = tap.but(**given, filters={PRIVATE: "versionnumber gt 0"}).sync()
    assert run.counts == {"team": len(service.rows("team"))}


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
