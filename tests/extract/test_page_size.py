"""Page size: pages that are too large become smaller, and no row is lost."""

from __future__ import annotations

import re
import threading
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from wsgiref.simple_server import make_server

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from odatapy.server import OData
from odatapy.server.adapters import ODataWSGIApp
from odatapy.server.inmemory import InMemoryDataStore, InMemoryProcessor

from sandbox import client
from tap_dynamics365.extract.page_size import CAUTION, GOOD_PAGES, LESS, MORE, PageSize
from tap_dynamics365.extract.range import Range
from tap_dynamics365.odata.page import RawPage
from tap_dynamics365.services.dataverse.kind import is_keyset_link
from tests.services.test_other_odata import Model, Quiet, Server, order
from tests.tap import Message, Run, Tap, choose, reads

MOST = 5_000

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.client import Sandbox

ROWS, PAGE = 400, 64
# A small table. Rows that share one second are added after its rows and before others.
TIED, TIES = "territory", 3_000
SETS = {"contact": "contacts", TIED: "territories"}
MOMENT, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"

TOO_LARGE = {"code": "0x80040216", "message": "The answer would be larger than 100 MB."}
SQL_TIMEOUT = {"code": "0x80044151", "message": "SQL timeout expired."}
KNOWN_CAUSE = {"code": "0x80048573", "message": "The query timed out: LargeAmountOfAttributes."}
FAULTS: dict[str, dict[str, Any]] = {
    "request-timeout": {"status": 408, "body": ""},
    "too-large": {"status": 413, "body": ""},
    "gateway-timeout": {"status": 504, "body": "<html>Gateway</html>"},
    "answer-too-large": {"status": 500, "body": {"error": TOO_LARGE}},
    "answer-too-large-with-400": {"status": 400, "body": {"error": TOO_LARGE}},
    "sql-timeout": {"status": 500, "body": {"error": SQL_TIMEOUT}},
    "timeout-of-known-cause": {"status": 400, "body": {"error": KNOWN_CAUSE}},
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A Dynamics 365 of its own, with a table of some pages, and one of rows that are alike."""
    with client.running(rows=50, sizes={"contact": ROWS}) as running:
        running.insert(TIED, [{"name": f"Tie {n}", "modifiedon": MOMENT} for n in range(TIES)])
        running.insert(TIED, [{"name": f"Later {n}", "modifiedon": LATER} for n in range(70)])
        yield running


@pytest.fixture(scope="module")
def tap(sandbox: Sandbox, way: dict[str, Any]) -> Tap:
    """The tap set up for it, in each of its ways, with small pages."""
    return Tap({**sandbox.settings, **way, "tables": [*SETS], "fetch_size": PAGE})


@pytest.fixture(scope="module")
def one_by_one(sandbox: Sandbox) -> Tap:
    """The tap set up to send one request after the other."""
    one = {"max_parallel_requests": 1, "tables": [*SETS], "fetch_size": PAGE}
    return Tap({**sandbox.settings, **one})


@pytest.fixture(scope="module")
def found(one_by_one: Tap) -> Message:
    """Their catalog."""
    return one_by_one.discover()


def chosen(catalog: Message, method: str = "INCREMENTAL", stream: str = "contact") -> Message:
    """Select a table, to be replicated in one way."""
    return choose(catalog, stream, replication_method=method)


def assert_complete(run: Run, service: Sandbox, stream: str = "contact") -> None:
    """Each row is there, once, in the order of the replication key where there is one."""
    (key,) = run.schemas[stream]["key_properties"]
    sent = [row[key] for row in run.records(stream)]
    assert len(sent) == len(set(sent))
    assert set(sent) == {row[key] for row in service.rows(stream)}
    if "replication_key_value" in run.state["bookmarks"][stream]:
        by = run.state["bookmarks"][stream]["replication_key"]
        values = [row[by] for row in run.records(stream)]
        assert values == sorted(values, key=lambda value: (value is not None, value))


def sizes(log: list[Message]) -> list[int]:
    """How many rows each request for a page asked for."""
    prefers = (request["headers"]["prefer"] for request in reads(log))
    return [
        int(found[1]) for found in map(re.compile(r"maxpagesize=(\d+)").search, prefers) if found
    ]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_pages_that_are_too_large_become_smaller(
    service: Sandbox, one_by_one: Tap, found: Message, fault: dict[str, Any]
) -> None:
    service.fault("contacts", over_rows=10, count=None, retry_after="0", **fault)
    run = one_by_one.sync(catalog=chosen(found))
    assert_complete(run, service)
    asked = sizes(service.requests())
    assert asked[:3] == [PAGE, PAGE // LESS, PAGE // LESS**2]
    first, second, *_ = [line for line in run.logged("INFO") if "reduced" in line]
    assert f"Page size of 'contact' reduced from {PAGE} to {PAGE // LESS} rows." in first
    assert f"reduced from {PAGE // LESS} to {PAGE // LESS**2} rows." in second
    words = fault["body"]["error"]["message"] if fault["status"] in {400, 500} else fault["status"]
    assert str(words) in first


@pytest.mark.parametrize("method", ["INCREMENTAL", "FULL_TABLE", "LOG_BASED"])
@pytest.mark.parametrize("seed", range(3))
def test_page_size_that_changes_at_any_time_sends_every_row_once(
    service: Sandbox, tap: Tap, found: Message, method: str, seed: int
) -> None:
    service.fault(
        "contacts",
        over_rows=5,
        count=None,
        probability=0.3,
        seed=seed,
        status=504,
        retry_after="0",
    )
    run = tap.sync(catalog=chosen(found, method))
    assert_complete(run, service)
    asked = sizes(service.requests())
    assert min(asked) < PAGE
    # Side by side, the faults that are drawn may leave too few good pages in a row.
    if tap.settings.get("max_parallel_requests") == 1:
        assert any(later > earlier for earlier, later in pairwise(asked))


@pytest.mark.parametrize("method", ["INCREMENTAL", "FULL_TABLE"])
def test_rows_of_one_second_are_continued_after_a_smaller_page(
    service: Sandbox, tap: Tap, found: Message, method: str
) -> None:
    service.fault("territories.*skiptoken", over_rows=300, skip=1, status=504, retry_after="0")
    run = tap.but(fetch_size=1_000).sync(catalog=chosen(found, method, TIED))
    assert_complete(run, service, TIED)
    log = reads(service.requests())
    served = sum(request["status"] == 200 for request in log)
    # From the start, or from that second on, there would be a thousand rows more to read.
    assert served <= 3 + -(-TIES // 250) + 3


def test_rows_after_the_last_are_requested_and_links_followed_from_there(
    service: Sandbox, one_by_one: Tap, found: Message
) -> None:
    service.fault("contacts.*skiptoken", over_rows=16, skip=1, status=504, retry_after="0")
    run = one_by_one.sync(catalog=chosen(found))
    assert_complete(run, service)
    _, _, failed, instead, following, *_ = reads(service.requests())
    assert "$skiptoken" in failed["query"]
    last = run.records("contact")[2 * PAGE - 1]
    assert "$skiptoken" not in instead["query"]
    assert instead["query"]["$filter"] == (
        "modifiedon ge {modifiedon} and (modifiedon gt {modifiedon} or contactid gt {contactid})"
    ).format(**last)
    assert instead["query"]["$orderby"] == failed["query"]["$orderby"]
    assert following["query"]["$filter"] == instead["query"]["$filter"]
    assert "$skiptoken" in following["query"]


def test_pages_grow_again_and_slower_after_failures(
    service: Sandbox, one_by_one: Tap, found: Message
) -> None:
    service.fault("contacts", over_rows=4, status=504, retry_after="0")
    run = one_by_one.but(fetch_size=8).sync(catalog=chosen(found))
    assert_complete(run, service)
    small, larger = [2] * GOOD_PAGES, [4] * CAUTION
    asked = sizes(service.requests())
    assert asked[: 1 + len(small) + len(larger)] == [8, *small, *larger]
    assert set(asked[1 + len(small) + len(larger) :]) == {8}


def test_service_that_does_not_understand_the_query_is_read_link_by_link(
    service: Sandbox, tap: Tap, found: Message
) -> None:
    service.fault("contactid gt", count=None, status=400, body={"error": {"message": "What?"}})
    service.fault(
        "contacts", over_rows=5, count=None, probability=0.3, seed=4, status=504, retry_after="0"
    )
    run = tap.but(max_parallel_requests=1).sync(catalog=chosen(found))
    assert_complete(run, service)
    filters = [request["query"].get("$filter", "") for request in reads(service.requests())]
    assert sum("contactid gt" in text for text in filters) == 1


def test_page_of_one_row_that_is_too_large_fails_the_table(
    service: Sandbox, one_by_one: Tap, found: Message
) -> None:
    service.fault("contacts", count=None, status=504, retry_after="0")
    run = one_by_one.but(fetch_size=2, ws_retry_count=2).run(catalog=chosen(found))
    assert "504" in run.refusal()
    # Three requests for sorted rows, and three for rows in any order.
    assert sizes(service.requests()) == [2, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("late", ["delay_ms", "dribble_ms"])
def test_page_that_times_out_becomes_smaller(
    service: Sandbox, one_by_one: Tap, found: Message, late: str
) -> None:
    slow: dict[str, Any] = {late: 3_000}
    service.fault("contacts", over_rows=PAGE // 2, skip=1, **slow)
    run = one_by_one.but(ws_timeout=1).sync(catalog=chosen(found))
    assert_complete(run, service)
    asked = sizes(service.requests())
    assert asked[:3] == [PAGE, PAGE, PAGE // LESS]
    assert any("reduced" in line and "in time" in line for line in run.logged("INFO"))


@pytest.mark.parametrize("key", ["birthdate", "importsequencenumber"])
@pytest.mark.parametrize("skip", [1, 5])
def test_rows_without_a_value_of_the_key_come_first_and_once(
    service: Sandbox, tap: Tap, found: Message, key: str, skip: int
) -> None:
    by_key = choose(found, "contact", replication_method="INCREMENTAL", replication_key=key)
    service.fault("contacts", over_rows=16, skip=skip, status=504, retry_after="0")
    run = tap.sync(catalog=by_key)
    assert_complete(run, service)
    values = [row[key] for row in run.records("contact")]
    nulls = values.count(None)
    assert PAGE < nulls < ROWS
    assert values[:nulls] == [None] * nulls


def test_rows_after_one_without_a_value_include_those_with_one(
    service: Sandbox, one_by_one: Tap, found: Message
) -> None:
    by_key = choose(found, "contact", replication_key="birthdate")
    service.fault("contacts", over_rows=16, skip=1, status=504, retry_after="0")
    run = one_by_one.sync(catalog=by_key)
    last = run.records("contact")[PAGE - 1]["contactid"]
    filters = [request["query"].get("$filter") for request in reads(service.requests())]
    assert f"(birthdate ne null or contactid gt {last})" in filters


def refusing(app: Callable[..., Any], most: int, hits: list[str]) -> Callable[..., Any]:
    """Let a server refuse pages with more rows than a limit, except the first page."""

    def refuse(environ: dict[str, Any], start: Callable[..., Any]) -> Any:  # noqa: ANN401 - WSGI
        size = re.search(r"maxpagesize=(\d+)", environ.get("HTTP_PREFER", ""))
        if size and "order" in environ["PATH_INFO"]:
            hits.append(f"{size[1]} {environ['QUERY_STRING']}")
            if int(size[1]) > most and len(hits) > 1:
                start("504 Gateway Timeout", [("Content-Length", "0"), ("Retry-After", "0")])
                return [b""]
        return app(environ, start)

    return refuse


def test_other_server_with_a_key_of_two_columns_continues_after_the_last_row() -> None:
    odata = OData.new_instance()
    handler = odata.create_handler(odata.create_service_metadata(Model()))
    store = InMemoryDataStore()
    store.set_entities("orders", [order(number) for number in range(25)])
    handler.register(InMemoryProcessor(store))
    hits: list[str] = []
    app = refusing(ODataWSGIApp(handler), 2, hits)
    with make_server("127.0.0.1", 0, app, Server, Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        tap = Tap(
            {
                "service_url": f"http://127.0.0.1:{server.server_port}",
                "access_token": "invented-access-token",
                "fetch_size": 5,
                "max_parallel_requests": 1,
            }
        )
        run = tap.sync(catalog=tap.discover())
        server.shutdown()
    numbers = [row["number"] - 2**60 for row in run.records("order")]
    assert sorted(numbers) == [*range(25)]
    behind = f"(company ge 'c1' and (company gt 'c1' or number gt {2**60 + 4}))"
    assert any(behind in unquote(hit) for hit in hits)


@pytest.mark.parametrize(
    ("link", "fitting"),
    [
        ("t?$skiptoken=%3Ccookie%20pagenumber=%222%22%20pagingcookie=%22%253ccookie%22/%3E", 500),
        ("t?$skiptoken=%3Ccookie%20pagenumber=%222%22%20pagingcookie=%22%22/%3E", 100),
        ("t?$skiptoken=2", 100),
        ("t?$skip=100", 100),
    ],
)
def test_link_that_may_count_pages_is_followed_with_no_larger_pages(
    link: str, fitting: int
) -> None:
    place = Range()
    place.follow(RawPage(b"", (), link, asked=100))
    is_keyset = is_keyset_link(link)
    assert place.rows_by_link(500, is_keyset_link=is_keyset) == fitting
    assert place.rows_by_link(25, is_keyset_link=is_keyset) == 25


@given(st.integers(1, 10**6), st.lists(st.booleans(), max_size=300))
def test_page_size_stays_between_one_and_the_largest(largest: int, outcomes: list[bool]) -> None:
    size = PageSize("table", largest, MOST)
    for goes_well in outcomes:
        before = size.rows
        if goes_well:
            size.record_success(before)
            assert before <= size.rows <= min(largest, MORE * before)
        else:
            size.record_failure(before, requests.ReadTimeout())
            assert size.rows == max(1, min(before, MOST) // LESS)


def test_page_size_that_always_fails_is_tried_less_often() -> None:
    size, pages = PageSize("table", 100, MOST), []
    for _ in range(4):
        size.record_failure(100, requests.ReadTimeout())
        pages.append(0)
        while size.rows < 100:
            size.record_success(size.rows)
            pages[-1] += 1
    assert pages == [GOOD_PAGES + CAUTION * 2**times for times in range(4)]


def test_pages_that_fail_together_reduce_the_size_once() -> None:
    size = PageSize("table", 100, MOST)
    for _ in range(8):
        size.record_failure(100, requests.ReadTimeout())
    assert size.rows == 100 // LESS


def test_connection_that_fails_does_not_reduce_the_size() -> None:
    size = PageSize("table", 100, MOST)
    size.record_failure(100, requests.ConnectTimeout())
    size.record_failure(100, requests.ConnectionError("refused"))
    assert size.rows == 100
