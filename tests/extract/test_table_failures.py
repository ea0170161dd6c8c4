"""Failures of one table: unexpected responses that leave other tables alone."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamics365.extract.pool import Pool
from tests.tap import Message, Run, Tap, choose, entry, own_metadata, select

if TYPE_CHECKING:
    from sandbox.client import Sandbox

TABLE, OTHERS = "contact", ("account", "team")
OTHER_COLUMNS: dict[str, list[str] | None] = {stream: ["name"] for stream in OTHERS}
# The first row of an answer that is no answer about the greatest value.
FIRST_KEY = r'(?s)\A(.*?"modifiedon":)"[^"]*"'
PAGES = r"/contacts\?(?!.*\$top)"
# An hour that no day has, years before 1 and after 9999, and no date at all.
UNREADABLE = [
    '""',
    '"2026-01-01T24:30:00Z"',
    '"-0001-01-01T00:00:00Z"',
    '"12026-01-01T00:00:00Z"',
    '"?"',
]
LINK = r'"@odata\.nextLink":"(?:[^"\\]|\\.)*"'
BROKEN_LINKS = ['"http://["', "7", '""', '{"href": "contacts"}']
# Where the service lists its entity sets.
LINKS_TO_THE_ROOT = ['"?$top=1"', '" "', '"./"', '"/api/data/v9.0"', '"http://other.invalid/"']


@pytest.fixture
def tap(sandbox: Sandbox, way: dict[str, Any]) -> Tap:
    """The tap in each of the ways in which it reads, with small pages."""
    return Tap({**sandbox.settings, **way, "fetch_size": 40})


@pytest.fixture(scope="module")
def whole(sandbox: Sandbox) -> Message:
    """What the tap discovers."""
    return Tap(dict(sandbox.settings)).discover()


@pytest.fixture(scope="module")
def chosen(whole: Message) -> Message:
    """The damaged table, and some others."""
    return select(whole, {TABLE: ["fullname"], **OTHER_COLUMNS})


def assert_whole(run: Run, service: Sandbox, *streams: str) -> None:
    """Each row of some tables is there, once."""
    for stream in streams:
        (key,) = run.schemas[stream]["key_properties"]
        sent = sorted(row[key] for row in run.records(stream))
        assert sent == sorted(row[key] for row in service.rows(stream))


def test_replication_key_that_cannot_be_read_is_sent_and_moves_no_bookmark(
    service: Sandbox, tap: Tap, chosen: Message
) -> None:
    for page, value in enumerate(UNREADABLE):
        service.fault(PAGES, substitute=[(FIRST_KEY, rf"\g<1>{value}")], skip=page)
    run = tap.sync(catalog=chosen)
    assert_whole(run, service, TABLE, *OTHERS)
    values = [row["modifiedon"] for row in service.rows(TABLE)]
    assert run.state["bookmarks"][TABLE]["replication_key_value"] == max(values)
    sent = {row["modifiedon"] for row in run.records(TABLE)}
    assert sent >= {value.strip('"') for value in UNREADABLE}
    warnings = run.logged("WARNING")
    # An empty text stands for null in some services.
    assert all(any(value in line for line in warnings) for value in UNREADABLE[1:])
    assert len(warnings) == len(UNREADABLE) - 1
    assert all("'modifiedon'" in line and f"'{TABLE}'" in line for line in warnings)


def test_replication_key_of_another_type_fails_only_its_table(
    service: Sandbox, tap: Tap, chosen: Message
) -> None:
    service.fault(PAGES, substitute=[(FIRST_KEY, r"\g<1>1767225600")], skip=1)
    run = tap.run(catalog=chosen)
    assert "The column 'modifiedon' of 'contact' holds a number" in run.refusal()
    assert_whole(run, service, *OTHERS)


def test_replication_key_that_can_never_be_read_leaves_no_bookmark(
    service: Sandbox, tap: Tap, chosen: Message
) -> None:
    service.fault(PAGES, substitute=[('"modifiedon":"[^"]*"', '"modifiedon":"?"')], count=None)
    run = tap.sync(catalog=chosen)
    assert_whole(run, service, TABLE, *OTHERS)
    assert "replication_key_value" not in run.state["bookmarks"][TABLE]


def test_replication_key_that_rows_do_not_have_causes_one_warning(
    service: Sandbox, tap: Tap, chosen: Message
) -> None:
    told = []
    for pattern in (
        ('"modifiedon":', '"modified":'),
        (r'"modifiedon":"[^"]*"', '"modifiedon":null'),
    ):
        service.clear_faults()
        service.fault(PAGES, substitute=[pattern], count=None)
        run = tap.sync(catalog=chosen)
        assert_whole(run, service, TABLE, *OTHERS)
        assert "replication_key_value" not in run.state["bookmarks"][TABLE]
        told.append(run.logged("WARNING"))
    # A column that is null is there.
    ((warning,), nothing) = told
    assert f"No row of '{TABLE}' has the column 'modifiedon'" in warning
    assert nothing == []


def test_link_that_is_broken_is_replaced_by_values_of_the_key(
    service: Sandbox, tap: Tap, chosen: Message
) -> None:
    for page, link in enumerate(BROKEN_LINKS):
        service.fault(PAGES, substitute=[(LINK, f'"@odata.nextLink":{link}')], skip=page)
    assert_whole(tap.sync(catalog=chosen), service, TABLE, *OTHERS)


def test_link_to_the_root_is_replaced_by_values_of_the_key(
    service: Sandbox, tap: Tap, chosen: Message
) -> None:
    for page, link in enumerate(LINKS_TO_THE_ROOT):
        service.fault(PAGES, substitute=[(LINK, f'"@odata.nextLink":{link}')], skip=page)
    assert_whole(tap.sync(catalog=chosen), service, TABLE, *OTHERS)


def test_row_without_its_key_fails_only_its_table(
    service: Sandbox, tap: Tap, chosen: Message
) -> None:
    absent = ('"contactid":', '"contactidx":')
    null = (r'"contactid":"[^"]*"', '"contactid":null')
    for page, pattern in ((0, absent), (0, null), (2, null)):
        service.fault(PAGES, substitute=[pattern], skip=page, count=None)
        run = tap.run(catalog=chosen)
        service.clear_faults()
        sentence = run.refusal()
        assert f"Table '{TABLE}' failed." in sentence
        assert f"'{TABLE}' without a value of 'contactid'" in sentence
        assert all(row["contactid"] for row in run.records(TABLE))
        assert_whole(run, service, *OTHERS)
    service.fault(PAGES, status=200, body={"value": [{}]}, count=None)
    assert "without a value of 'contactid'" in tap.run(catalog=chosen).refusal()


def test_link_that_is_broken_fails_only_an_unsorted_table(
    service: Sandbox, tap: Tap, whole: Message
) -> None:
    full = choose(whole, TABLE, replication_method="FULL_TABLE")
    for stream in OTHERS:
        own_metadata(entry(full, stream))["selected"] = True
    service.fault(PAGES, substitute=[(LINK, f'"@odata.nextLink":{BROKEN_LINKS[0]}')], count=None)
    run = tap.run(catalog=full)
    assert "no link" in run.refusal()
    assert TABLE in run.logged("ERROR")[-1]
    assert_whole(run, service, *OTHERS)


def test_unexpected_error_of_one_table_is_one_sentence_and_others_continue(
    service: Sandbox, tap: Tap, whole: Message
) -> None:
    """A format that is a list is nothing that the tap is made for."""
    odd = select(whole, {TABLE: None, **OTHER_COLUMNS})
    entry(odd, TABLE)["schema"]["properties"]["contactid"]["format"] = ["uuid"]
    run = tap.run(catalog=odd)
    assert f"Table '{TABLE}' failed. Unexpected TypeError" in run.refusal()
    assert TABLE in run.logged("ERROR")[-1]
    assert_whole(run, service, *OTHERS)
    told = Tap(tap.settings, {"TAP_DYNAMICS365_LOGLEVEL": "DEBUG"}).run(catalog=odd)
    assert told.status == 1
    assert "Traceback" in told.log


def test_service_that_cannot_be_reached_ends_the_run_at_once(tap: Tap, chosen: Message) -> None:
    """Each table would wait for it in vain, one after the other."""
    away = tap.but(
        service_url="http://127.0.0.1:9/api/data/v9.2/",
        access_token="invented",  # noqa: S106 - invented indeed
        client_secret=None,
        refresh_token=None,
        ws_retry_count=0,
    )
    run = away.run(catalog=chosen)
    assert "could not be reached" in run.refusal()
    assert len(run.logged("ERROR")) == 1


def test_stream_map_that_fails_for_a_row_is_the_failure_of_its_table(
    service: Sandbox, sandbox: Sandbox, chosen: Message
) -> None:
    maps = {"account": {"number": "float(name)"}}
    run = Tap({**sandbox.settings, "stream_maps": maps}).run(catalog=chosen)
    assert "Table 'account' failed. Setting stream_maps" in run.refusal()
    assert_whole(run, service, TABLE, "team")


def test_metadata_stream_that_fails_leaves_the_tables_complete(
    service: Sandbox,
) -> None:
    tap = Tap({**service.settings, "metadata_streams": True})
    catalog = select(tap.discover(), {"team": ["name"], "TableMetadata": None})
    for path in ("RetrieveMetadataChanges", "EntityDefinitions"):
        service.fault(path, status=200, body={"EntityMetadata": 7, "value": 7}, count=None)
    run = tap.run(catalog=catalog)
    assert "TableMetadata" in run.refusal()
    assert_whole(run, service, "team")


class _GoneError(BaseException):
    """What libraries of other languages raise is no Exception."""


def test_thread_that_raises_anything_reports_it() -> None:
    pool = Pool()
    results: list[Any] = []

    def work() -> None:
        raise _GoneError

    pool.fetch(work, results.append)
    pool.hand_over(60)
    assert "_GoneError" in str(results[0])
    assert not pool.pending


def test_waiting_for_a_result_ends_after_the_timeout() -> None:
    pool, may_end = Pool(), Event()
    pool.fetch(may_end.wait, lambda _: None)
    pool.hand_over(0.01)
    assert pool.pending == 1
    may_end.set()
    pool.hand_over(60)
    assert not pool.pending
