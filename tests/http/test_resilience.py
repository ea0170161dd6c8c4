"""Failures of requests during a run: retried if that helps, otherwise reported in one sentence."""

from __future__ import annotations

import json
import re
import signal
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from tests.tap import SECONDS, Message, Run, Tap, in_one_mode, reads, select

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox

SECOND_PAGE = "contacts.*skiptoken"
TRANSIENT: dict[str, dict[str, Any]] = {
    "throttled-for-seconds": {"throttle": "requests", "retry_after": "1"},
    "throttled-for-execution-time": {"throttle": "execution_time", "retry_after": "0"},
    "bad-gateway": {"status": 502, "retry_after": "0"},
    "unavailable": {"status": 503, "retry_after": "0"},
    "generic-sql-error": {
        "status": 500,
        "retry_after": "0",
        "body": {"error": {"code": "0x80044150", "message": "Generic SQL error."}},
    },
    "try-again-later": {
        "status": 500,
        "retry_after": "0",
        "body": {"error": {"code": "Application_Invented", "message": "Please try again later."}},
    },
    "empty-answer": {"status": 200, "retry_after": "0", "body": ""},
    "incomplete-answer": {"status": 200, "retry_after": "0", "body": '{"value": [{"fullname": "A'},
    "damaged-in-the-middle": {"status": 200, "retry_after": "0", "body": '{"value": [{"a": 01x}]}'},
    "dropped-connection": {"drop": True},
    "truncated-body": {"truncate": True},
}


@pytest.fixture(scope="module")
def chosen(catalog: Message) -> Message:
    """A table with several pages."""
    return select(catalog, {"contact": ["fullname"]})


def in_a_second() -> str:
    """Write the time in a second as an HTTP date."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)


def assert_complete(run: Run, service: Sandbox, stream: str = "contact") -> None:
    """Assert that each row was sent once."""
    (key,) = run.schemas[stream]["key_properties"]
    sent = [row[key] for row in run.records(stream)]
    assert len(sent) == len(set(sent))
    assert set(sent) == {row[key] for row in service.rows(stream)}


def repeated(log: list[Message]) -> int:
    """Count the requests that were sent again."""
    distinct = {(request["path"], *sorted(request["query"].items())) for request in log}
    return len(log) - len(distinct)


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT.keys())
def test_transient_failure_on_a_page_loses_and_repeats_no_row(
    service: Sandbox, tap: Tap, chosen: Message, fault: dict[str, Any]
) -> None:
    service.fault(SECOND_PAGE, **fault)
    run = tap.sync(catalog=chosen)
    assert_complete(run, service)
    log = reads(service.requests())
    assert sum(request["fault"] for request in log) == repeated(log) == 1
    assert any("Trying again" in line for line in run.logged("WARNING"))


def test_retry_after_with_a_date_is_honoured(service: Sandbox, tap: Tap, chosen: Message) -> None:
    service.fault(SECOND_PAGE, throttle="concurrency", retry_after=in_a_second())
    assert_complete(tap.sync(catalog=chosen), service)
    assert repeated(reads(service.requests())) == 1


def test_transient_failures_in_a_row_are_retried(
    service: Sandbox, tap: Tap, chosen: Message
) -> None:
    service.fault(SECOND_PAGE, status=503, retry_after="0", count=5)
    assert_complete(tap.sync(catalog=chosen), service)
    assert repeated(reads(service.requests())) == 5


@in_one_mode
@pytest.mark.parametrize("count", [0, 2])
def test_request_that_always_fails_is_retried_as_often_as_the_setting_says(
    service: Sandbox, tap: Tap, chosen: Message, count: int
) -> None:
    service.fault("contacts", status=503, retry_after="0", count=None)
    assert "503" in tap.but(ws_retry_count=count).run(catalog=chosen).refusal()
    assert len(reads(service.requests())) == count + 1


@in_one_mode
def test_throttling_without_retries_is_waited_for(
    service: Sandbox, tap: Tap, chosen: Message
) -> None:
    service.fault(SECOND_PAGE, throttle="requests", retry_after="0", count=4)
    run = tap.but(ws_retry_count=0).sync(catalog=chosen)
    assert_complete(run, service)
    assert repeated(reads(service.requests())) == 4
    assert any("paused" in line for line in run.logged("INFO"))


@in_one_mode
@pytest.mark.parametrize("retry_after", ["10", "0"])
def test_throttling_beyond_the_limit_ends_in_one_sentence(
    service: Sandbox, tap: Tap, chosen: Message, retry_after: str
) -> None:
    service.fault("contacts", throttle="requests", retry_after=retry_after, count=None)
    sentence = tap.but(ws_retry_wait_limit=1).run(catalog=chosen).refusal()
    assert "ws_retry_wait_limit" in sentence


@in_one_mode
@pytest.mark.parametrize("fault", [{"throttle": "requests"}, {"status": 503}], ids=["429", "503"])
def test_waits_without_retry_after_double_up_to_a_minute(
    service: Sandbox, tap: Tap, chosen: Message, fault: dict[str, Any]
) -> None:
    service.fault(SECOND_PAGE, retry_after="", count=9, **fault)
    hasty = replace(tap.but(ws_retry_count=9), clock={"ahead": 0, "speed": 1_000})
    run = hasty.sync(catalog=chosen)
    assert_complete(run, service)
    told = [re.search(r"Trying again in (\d+) s", line) for line in run.logged("WARNING")]
    waits = [int(found[1]) for found in told if found]
    least = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert len(waits) == len(least)
    # With up to half as much jitter.
    assert all(few <= wait <= 1.5 * few for few, wait in zip(least, waits, strict=True)), waits


@in_one_mode
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("where", [SECOND_PAGE, "/token"], ids=["page", "token"])
def test_run_that_waits_ends_on_a_signal(
    service: Sandbox, tap: Tap, chosen: Message, sent: signal.Signals, where: str
) -> None:
    service.fault(where, throttle="requests", retry_after="600", count=None)
    with TemporaryDirectory() as folder:
        process = tap.start(Path(folder), catalog=chosen)
        try:
            log = iter(process.stderr or ())
            assert any(b"Trying again in 600 s" in line for line in log)
            process.send_signal(sent)
            output, _ = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == 128 + sent
    messages = [json.loads(line) for line in output.splitlines()]
    assert messages or where != SECOND_PAGE
    assert not messages or messages[-1]["type"] == "STATE"


@contextmanager
def warnings_of(tap: Tap, catalog: Message | None = None) -> Iterator[Iterator[str]]:
    """The warnings of a sync while it runs; it is killed at the end."""
    with TemporaryDirectory() as folder:
        process = tap.start(Path(folder), catalog=catalog)
        try:
            lines = (line.decode() for line in process.stderr or ())
            yield (line for line in lines if "| WARNING" in line)
        finally:
            process.kill()
            process.communicate()


@in_one_mode
@pytest.mark.parametrize("written", ["seconds", "date"])
def test_wait_with_retry_after_is_as_long_as_the_service_asks(
    service: Sandbox, tap: Tap, chosen: Message, written: str
) -> None:
    """The test does not wait: it kills the tap when the log names the wait."""
    if written == "seconds":
        retry_after = "1500"
    else:
        retry_after = format_datetime(datetime.now(UTC) + timedelta(seconds=1500), usegmt=True)
    service.fault(SECOND_PAGE, throttle="requests", retry_after=retry_after, count=None)
    with warnings_of(tap, chosen) as warnings:
        warning = next(warnings)
    assert "Number of requests exceeded the limit of 6000" in warning
    words = warning.split()
    assert 1400 < float(words[words.index("in") + 1]) <= 1501


@in_one_mode
@pytest.mark.parametrize("path", [r"\$metadata", "RetrieveMetadataChanges", "/token"])
def test_throttling_of_metadata_and_sign_in_is_honoured(
    service: Sandbox, tap: Tap, path: str
) -> None:
    service.fault(path, throttle="requests", retry_after="1")
    run = tap.but(tables=["team", "systemuser"]).run("--discover")
    assert run.status == 0, run.log
    assert not [line for line in run.logged("WARNING") if "Trying again" not in line]
    assert '"systemuserid"' in run.output


def test_token_that_is_refused_during_a_run_is_renewed(
    service: Sandbox, tap: Tap, chosen: Message
) -> None:
    service.fault(SECOND_PAGE, status=401)
    assert_complete(tap.sync(catalog=chosen), service)


@in_one_mode
def test_token_that_expires_soon_is_renewed(service: Sandbox, tap: Tap, chosen: Message) -> None:
    service.configure(token_lifetime=30)
    assert_complete(tap.sync(catalog=chosen), service)


@in_one_mode
@pytest.mark.parametrize("status", [400, 403, 404, 405, 501])
def test_refusal_of_a_table_is_reported_with_the_services_message_and_not_retried(
    service: Sandbox, tap: Tap, chosen: Message, status: int
) -> None:
    words = {"code": "0x80060888", "message": f"Refused with {status}, as ordered."}
    service.fault("contacts", status=status, body={"error": words}, count=None)
    run = tap.run(catalog=chosen)
    # A table that is not readable or does not exist is skipped with a warning.
    told = run.logged("WARNING")[0] if status in {403, 404} else run.refusal()
    for part in (str(status), words["code"], words["message"]):
        assert part in told
    assert run.status == 1
    # A query that is not understood is sent once more without an order.
    assert len(reads(service.requests())) == (1 if status in {403, 404} else 2)


@in_one_mode
def test_refusal_without_a_body_is_reported(service: Sandbox, tap: Tap, chosen: Message) -> None:
    service.fault("contacts", status=404, body="")
    assert "404" in tap.run(catalog=chosen).refusal()


def test_column_that_is_gone_is_reported_and_the_others_are_read(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    old = select(catalog, {"contact": ["fullname", "nickname_gone"]})
    (contact,) = [e for e in old["streams"] if e["tap_stream_id"] == "contact"]
    contact["schema"]["properties"]["nickname_gone"] = {"type": ["string", "null"]}
    contact["metadata"].append(
        {"breadcrumb": ["properties", "nickname_gone"], "metadata": {"selected": True}}
    )
    run = tap.sync(catalog=old)
    assert_complete(run, service)
    assert any("'nickname_gone'" in line for line in run.logged("WARNING"))


@in_one_mode
def test_web_page_as_first_answer_ends_in_one_sentence(
    service: Sandbox, tap: Tap, chosen: Message
) -> None:
    service.fault("/contacts", html=True)
    assert "text/html" in tap.run(catalog=chosen).refusal()


def test_web_page_behind_good_answers_is_retried(
    service: Sandbox, tap: Tap, chosen: Message
) -> None:
    service.fault(r"/contacts\?(?!.*\$top)", html=True, skip=1)
    run = tap.sync(catalog=chosen)
    assert_complete(run, service)
    assert any("text/html" in line for line in run.logged("WARNING"))


@in_one_mode
def test_service_that_is_not_reached_is_one_sentence(tap: Tap) -> None:
    away = tap.but(service_url="http://127.0.0.1:9/api/data/v9.2/")
    with warnings_of(away) as warnings:
        assert "127.0.0.1:9" in next(warnings)


def test_table_without_permission_is_skipped_and_the_others_are_read(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.configure(forbidden_tables=["contact"])
    run = tap.sync(catalog=select(catalog, {"account": None, "contact": None, "team": None}))
    assert_complete(run, service, "account")
    assert_complete(run, service, "team")
    assert "contact" not in run.counts
    warning, summary = run.logged("WARNING")
    assert summary == "Skipped 1 of 3 tables: contact."
    for part in ("'contact'", "prvReadContact", "0x80040220"):
        assert part in warning
    assert len(reads(service.requests(), "contacts")) == 1
    assert "replication_key_value" not in run.state["bookmarks"].get("contact", {})


@in_one_mode
def test_table_that_can_not_be_listed_is_skipped(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    run = tap.sync(catalog=select(catalog, {"new_externalorder": None, "team": None}))
    assert_complete(run, service, "team")
    warning, _ = run.logged("WARNING")
    assert "RetrieveMultiple" in warning


@in_one_mode
def test_run_without_a_readable_table_fails(service: Sandbox, tap: Tap, catalog: Message) -> None:
    service.configure(forbidden_tables=["contact", "team"])
    run = tap.run(catalog=select(catalog, {"contact": None, "team": None}))
    assert "None of the selected tables" in run.refusal()
    assert len([line for line in run.logged("WARNING") if "prvRead" in line]) == 2


SignIn = dict[str, Any]
SIGN_INS: dict[str, tuple[str, SignIn]] = {
    "wrong-secret": ("AADSTS7000215", {"client_secret": "a wrong one"}),
    "unknown-client": ("AADSTS700016", {"client_id": "00000000-0000-0000-0000-00000000beef"}),
    "revoked": ("AADSTS50173", {"refresh_token": "token-revoked"}),
    "inactive": ("AADSTS700082", {"refresh_token": "token-inactive"}),
    "expired": ("AADSTS70008", {"refresh_token": "token-expired"}),
}


@in_one_mode
@pytest.mark.parametrize(("code", "settings"), SIGN_INS.values(), ids=SIGN_INS.keys())
def test_sign_in_that_is_refused_is_one_sentence_with_the_hosts_code(
    service: Sandbox, tap: Tap, chosen: Message, code: str, settings: SignIn
) -> None:
    for reason in ("revoked", "inactive", "expired"):
        service.revoke(f"token-{reason}", reason)
    wrong = tap.but(**settings)
    run = wrong.run(catalog=chosen)
    assert f"{code}:" in run.refusal()
    assert not any(str(value) in run.log for name, value in settings.items() if "_id" not in name)
    assert not reads(service.requests())


@in_one_mode
def test_sign_in_that_is_refused_in_discovery_is_one_sentence(tap: Tap) -> None:
    code, settings = SIGN_INS["wrong-secret"]
    assert f"{code}:" in tap.but(**settings).run("--discover").refusal()


@in_one_mode
def test_access_token_that_is_invalid_is_one_sentence(
    service: Sandbox, tap: Tap, chosen: Message
) -> None:
    value = "a-token-that-is-not-good"
    alone = tap.but(refresh_token=None, client_secret=None, access_token=value)
    run = alone.run(catalog=chosen)
    assert "401" in run.refusal()
    assert value not in run.log
    assert len(reads(service.requests())) <= 2


@in_one_mode
def test_token_uri_of_another_tenant_or_host_is_one_sentence(
    service: Sandbox, tap: Tap, chosen: Message
) -> None:
    wrong = tap.settings["token_uri"].replace("5a4db0c0", "00000000")
    assert "AADSTS90002" in tap.but(token_uri=wrong).run(catalog=chosen).refusal()
    service.fault("/token", html=True, count=None)
    assert "token_uri" in tap.run(catalog=chosen).refusal()


@in_one_mode
@pytest.mark.parametrize(
    "fault",
    [{"status": 400}, {"html": True}, {"truncate": True}, {"status": 200, "body": "<edmx"}],
    ids=["400", "html", "broken-off", "cut"],
)
def test_metadata_that_is_never_read_is_one_sentence(
    service: Sandbox, tap: Tap, fault: dict[str, Any]
) -> None:
    service.fault(r"\$metadata", **fault, count=None)
    assert tap.but(ws_retry_count=1).run("--discover").refusal()


@in_one_mode
@pytest.mark.parametrize(
    ("path", "cut"),
    [
        (r"\$metadata", "<edmx"),
        ("RetrieveMetadataChanges", '{"EntityMetadata": ['),
        ("/token", '{"access_'),
    ],
    ids=["metadata", "definitions", "token"],
)
@pytest.mark.parametrize("how", ["broken-off", "cut", "spoilt"])
def test_answer_that_is_damaged_before_the_first_row_is_requested_again(
    service: Sandbox, tap: Tap, path: str, cut: str, how: str
) -> None:
    faults: dict[str, dict[str, Any]] = {
        "broken-off": {"truncate": True},
        "cut": {"status": 200, "body": cut},
        "spoilt": {"garble": True},
    }
    service.fault(path, **faults[how])
    run = tap.but(tables=["team", "systemuser"]).run("--discover")
    assert run.status == 0, run.log
    (warning,) = run.logged("WARNING")
    assert "Trying again" in warning
    assert '"systemuserid"' in run.output
