"""Pagination: every row once, however the service divides pages, and no endless loop."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import client
from tests.tap import Message, Run, Tap, choose, reads, select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.client import Sandbox

# A table of few columns to which the tests add their rows, and its entity set.
STREAM, ENTITY_SET = "territory", "territories"
MOMENT, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"
TIES = 23
MORE_RECORDS = "Microsoft.Dynamics.CRM.morerecords"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A Dynamics 365 where one table has 12 rows, 23 of one second, and 3 of the next."""
    with client.running(rows=100) as running:
        running.insert(STREAM, [{"name": f"Tie {n}", "modifiedon": MOMENT} for n in range(TIES)])
        running.insert(STREAM, [{"name": f"Later {n}", "modifiedon": LATER} for n in range(3)])
        yield running


@pytest.fixture(scope="module")
def tap(sandbox: Sandbox, tap_for: Callable[..., Tap]) -> Tap:
    """The tap set up for these tables."""
    return tap_for(sandbox, tables=[STREAM])


@pytest.fixture(scope="module")
def catalog(tap: Tap) -> Message:
    """Their catalog, with one of them selected."""
    return select(tap.discover(), {STREAM: ["name"]})


def assert_complete_but_for_repeats(run: Run, service: Sandbox) -> None:
    """Each row is there, perhaps more than once."""
    sent = {row["territoryid"] for row in run.records(STREAM)}
    assert sent == {row["territoryid"] for row in service.rows(STREAM)}


def assert_complete(run: Run, service: Sandbox) -> None:
    """Each row is there, once."""
    sent = [row["territoryid"] for row in run.records(STREAM)]
    assert len(sent) == len(set(sent))
    assert set(sent) == {row["territoryid"] for row in service.rows(STREAM)}


def by_key(row: Message) -> tuple[str, str]:
    """By what the tap has rows sorted."""
    return row["modifiedon"], row["territoryid"]


@pytest.mark.parametrize("size", [1, 7, TIES + 15, TIES + 16, 5_000, 10_000])
def test_rows_of_one_second_at_a_page_edge_are_sent_once(
    service: Sandbox, tap: Tap, catalog: Message, size: int
) -> None:
    run = tap.but(fetch_size=size).sync(catalog=catalog)
    assert_complete(run, service)
    rows = len(service.rows(STREAM))
    # No page follows one that holds the last row, even a full one.
    assert len(reads(service.requests())) == -(-rows // size)


def test_pages_smaller_than_requested_are_followed_to_the_end(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.configure(page_size_cap=4)
    assert_complete(tap.sync(catalog=catalog), service)


def test_resumed_run_begins_with_the_whole_boundary_second(tap: Tap, catalog: Message) -> None:
    bookmark = {"replication_key": "modifiedon", "replication_key_value": MOMENT}
    run = tap.but(fetch_size=5).sync(catalog=catalog, state={"bookmarks": {STREAM: bookmark}})
    moments = [row["modifiedon"] for row in run.records(STREAM)]
    assert moments == [MOMENT] * TIES + [LATER] * 3
    assert len({row["territoryid"] for row in run.records(STREAM)}) == len(moments)


def test_links_to_the_next_page_are_followed_unchanged(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    tap.but(fetch_size=10).sync(catalog=catalog)
    first, *more = reads(service.requests())
    assert len(more) == 3
    for request in more:
        query = dict(request["query"])
        assert "pagingcookie" in query.pop("$skiptoken")
        assert query == first["query"]
        assert request["headers"]["prefer"] == "odata.maxpagesize=10"


def test_relative_link_is_followed(service: Sandbox, tap: Tap, catalog: Message) -> None:
    service.fault(ENTITY_SET, relative_next_link=True, count=None)
    assert_complete(tap.but(fetch_size=10).sync(catalog=catalog), service)


def test_empty_page_is_not_the_end(service: Sandbox, tap: Tap, catalog: Message) -> None:
    service.fault(ENTITY_SET, empty_page=True, skip=1, count=2)
    assert_complete(tap.but(fetch_size=10).sync(catalog=catalog), service)
    assert sum(request["fault"] for request in service.requests()) == 2


def test_table_without_rows_sends_its_schema_and_costs_one_request(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.fault(ENTITY_SET, status=200, body={"value": []})
    run = tap.sync(catalog=catalog)
    assert not run.counts
    assert set(run.schemas) == {STREAM}
    assert len(reads(service.requests())) == 1


def test_link_that_repeats_is_an_error_not_an_endless_loop(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.fault(rf"/{ENTITY_SET}\?(?!.*\$top)", repeat_next_link=True, skip=1, count=None)
    run = tap.but(fetch_size=10).run(catalog=catalog)
    assert "same link" in run.refusal()
    assert len(reads(service.requests())) <= 4


def test_links_that_form_a_loop_are_an_error_not_an_endless_loop(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    """The third page leads back to the second, by an offset that the cookie does not show."""
    for page, link in enumerate("ABAB"):
        service.fault(
            rf"/{ENTITY_SET}\?(?!.*\$top)",
            substitute=[
                (
                    r'"@odata\.nextLink":"[^"]*"',
                    rf'"@odata.nextLink":"{ENTITY_SET}?$select=name&loop={link}"',
                )
            ],
            skip=page,
        )
    run = tap.but(fetch_size=10).run(catalog=catalog)
    assert "same link" in run.refusal()


@pytest.mark.parametrize("size", [1, 7, 40])
def test_more_rows_without_a_link_are_requested_by_the_key(
    service: Sandbox, tap: Tap, catalog: Message, size: int
) -> None:
    service.configure(more_records_without_link=True)
    assert_complete(tap.but(fetch_size=size).sync(catalog=catalog), service)
    assert all("$skiptoken" not in request["query"] for request in reads(service.requests()))


def test_more_rows_without_a_link_fail_a_table_that_is_not_sorted(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.configure(more_records_without_link=True)
    full = choose(catalog, STREAM, replication_method="FULL_TABLE")
    sentence = tap.but(fetch_size=10).run(catalog=full).refusal()
    assert STREAM in sentence
    assert "gives no link" in sentence
    assert_complete(tap.but(fetch_size=1_000).sync(catalog=full), service)


def test_more_rows_without_a_link_and_a_service_that_repeats_rows_end_in_one_sentence(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.configure(more_records_without_link=True)
    body = {"value": [min(service.rows(STREAM), key=by_key)], f"@{MORE_RECORDS}": True}
    service.fault(ENTITY_SET, status=200, body=body, count=None)
    assert "same rows again" in tap.run(catalog=catalog).refusal()


def test_comparison_of_guids_that_is_refused_falls_back_to_links(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    """Smaller pages would otherwise be requested after a row."""
    service.configure(guid_comparison="refused")
    service.fault(
        rf"/{ENTITY_SET}\?", over_rows=30, status=504, retry_after="0", skip=1, count=None
    )
    assert_complete(tap.but(fetch_size=31).sync(catalog=catalog), service)


def test_comparison_of_guids_that_is_refused_without_a_link_loses_no_row(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.configure(guid_comparison="refused", more_records_without_link=True)
    run = tap.but(fetch_size=TIES + 1).sync(catalog=catalog)
    assert_complete_but_for_repeats(run, service)
    values = [row["modifiedon"] for row in run.records(STREAM)]
    assert values == sorted(values)


def test_more_rows_of_one_second_without_a_key_end_in_one_sentence(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.configure(guid_comparison="refused", more_records_without_link=True)
    sentence = tap.but(fetch_size=TIES - 1).run(catalog=catalog).refusal()
    assert "choose another fetch_size" in sentence.lower()


@contextmanager
def listening() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Another server, and the headers of the requests that reach it."""
    reached: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        """Answers with a page of no rows."""

        def do_GET(self) -> None:
            """Note the request."""
            reached.append({name.lower(): value for name, value in self.headers.items()})
            body = b'{"value": []}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", reached
        server.shutdown()


def test_link_to_another_host_is_followed_on_the_origin_of_service_url(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    with listening() as (url, reached):
        service.configure(link_origin=url.replace("127.0.0.1", "localhost"))
        run = tap.but(fetch_size=5).sync(catalog=catalog)
    assert not reached
    assert len(reads(service.requests(), ENTITY_SET)) > 1
    assert set(run.counts.values()) == {len(service.rows(next(iter(run.counts))))}


def test_redirect_to_another_host_gets_no_token(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    with listening() as (url, reached):
        location = f"{url.replace('127.0.0.1', 'localhost')}/{ENTITY_SET}"
        service.fault(ENTITY_SET, status=302, headers={"Location": location})
        tap.run(catalog=catalog)
    assert all("authorization" not in headers for headers in reached)
