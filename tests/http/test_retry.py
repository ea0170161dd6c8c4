"""Retries, against a server that sends the answers of a script."""

from __future__ import annotations

import gzip
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.connection import connect
from tap_dynamics365.errors import Dynamics365Error, ServiceError, SignInError
from tap_dynamics365.http.response import check_whole
from tap_dynamics365.http.retry import FIRST_WAIT, retry_after
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.servers.scripted import RESET, answer, serving

if TYPE_CHECKING:
    from tap_dynamics365.odata.client import ODataClient
    from tests.servers.scripted import Scripted

PAGE = json.dumps({"value": [{"name": "Litware"}]}).encode()
WHOLE = answer(PAGE)
# With this header, the tests do not wait for the backoff.
NOW = {"Retry_After": "0"}


def service(server: Scripted, **more: Any) -> ODataClient:
    """Connect to a server."""
    config = {"service_url": f"{server.url}/api/data/v9.2/", **more}
    if "client_id" not in config:
        config["access_token"] = "an-invented-token"  # noqa: S105 - it says so
    return connect(Settings.from_config(config, JSON_SCHEMA)).client


def failing(status: int, code: str = "", message: str = "As ordered.", **headers: str) -> bytes:
    """Build a refusal."""
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return answer(body, status, **{**NOW, **headers})


def chunked(*pieces: bytes, whole: bool) -> bytes:
    """Build an answer in chunks."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    body += b"0\r\n\r\n" if whole else b""
    return answer(body, length=-1, Transfer_Encoding="chunked")


BROKEN = {
    "closed without an answer": b"",
    "reset": RESET,
    "no HTTP": b"220 invented.example ESMTP\r\n",
    "cut before the announced length": answer(PAGE[:20], length=len(PAGE)),
    "cut between two chunks": chunked(PAGE[:9], PAGE[9:20], whole=False),
    "cut in the compressed data": answer(
        gzip.compress(PAGE)[:-12], length=-1, Content_Encoding="gzip"
    ),
    "labelled as compressed": answer(PAGE, Content_Encoding="gzip"),
    "cut without an announced length": answer(PAGE[:20], length=-1, **NOW),
    "cut after a row": answer(PAGE[:-2], **NOW),
    "empty": answer(b"", **NOW),
    "blank": answer(b" \r\n", **NOW),
    "without a body": answer(b"", 204, **NOW),
    "sent twice": answer(PAGE + PAGE, **NOW),
    "damaged": answer(PAGE.replace(b":", b"", 1), **NOW),
    "not UTF-8": answer(PAGE.replace(b"ware", b"\xff\xfe"), **NOW),
    "text": answer(b"Service is starting up", Content_Type="text/plain", **NOW),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_answer_that_is_damaged_is_requested_again(broken: bytes) -> None:
    with serving(broken, WHOLE) as server:
        assert service(server).get("accounts").content == PAGE
    assert len(server.asked) == 2


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_answer_that_is_always_damaged_is_one_sentence(broken: bytes) -> None:
    with serving(broken) as server, pytest.raises(ServiceError) as caught:
        service(server, ws_retry_count=0).get("accounts")
    assert len(server.asked) == 1
    assert "\n" not in caught.value.message
    assert " at ." not in caught.value.message
    assert caught.value.message.endswith(".")


def test_answer_in_chunks_or_compressed_is_accepted() -> None:
    compressed = answer(gzip.compress(PAGE), Content_Encoding="gzip")
    for sent in (WHOLE, chunked(PAGE[:9], PAGE[9:], whole=True), compressed, answer(PAGE)):
        with serving(sent) as server:
            assert service(server, ws_retry_count=0).get("accounts").content == PAGE


TRANSIENT = {
    "408": failing(408),
    "429": failing(429),
    "502": failing(502),
    "503": failing(503),
    "520 of a content delivery network": failing(520),
    "599": failing(599),
    "500 without a body": answer(b"", 500, **NOW),
    "500 without code or message": failing(500),
    "403 with a code of the database": failing(403, "0x80044150", "Generic SQL error."),
    "404 with an unexpected error": failing(404, "0x80040216", "An unexpected error occurred."),
    "501 with a limit": failing(501, "0x80072322"),
    "message of SQL": failing(400, "", "Execution Timeout Expired."),
    "message of a limit": failing(400, "", "Number of requests exceeded the limit of 6000."),
    "an inner code": answer(
        b'{"error": {"code": "", "message": "", "innererror": {"errorcode": -2147204784}}}',
        400,
        **NOW,
    ),
    "a code in capitals": failing(400, "0x8004418D", "No worker processes."),
    "a decimal code": failing(400, "-2147204784", "Generic SQL error."),
    "a plug-in that asks to try again": failing(400, "0x80040265", "Please try again later."),
    "504": failing(504),
    "an unexpected error": failing(500, "0x80040216", "An unexpected error occurred."),
    "an unexpected error with a 400": failing(400, "0x80040216", "An unexpected error occurred."),
    "an error of SQL": failing(500, "0x80044150", "Generic SQL error."),
    "an error of SQL with a 400": failing(400, "0x80044150", "Generic SQL error."),
    "message alone": failing(500, "Internal_Invented", "Please try again later."),
    "message with a 400": failing(400, "Application_Invented", "Please try again later."),
    "a limit with a 400": failing(400, "0x80048744", "This query cannot be executed."),
    "a web page of a gateway": answer(b"<html>", 502, Content_Type="text/html", **NOW),
}
FINAL = {
    "400": failing(400, "0x80060888"),
    "404 with a transient message": failing(404, "", "Please try again later."),
    "412": failing(412),
    "500 of a plug-in": failing(500, "0x80040265", "A plug-in failed."),
    "400 of a plug-in": failing(400, "0x80040265", "A plug-in failed."),
    "a permanent error of SQL": failing(400, "0x80044150", "Generic SQL error. Sql Number: 208"),
    "501": failing(501, "", "Please try again later."),
    "a web page": answer(b"<html>", Content_Type="text/html", **NOW),
    "a web page that claims to be JSON": answer(b"<!DOCTYPE html><html>", **NOW),
}


@pytest.mark.parametrize("refusal", TRANSIENT.values(), ids=TRANSIENT.keys())
def test_refusal_that_is_transient_is_retried(refusal: bytes) -> None:
    with serving(refusal, WHOLE) as server:
        service(server).get("accounts")
    assert len(server.asked) == 2


@pytest.mark.parametrize("refusal", FINAL.values(), ids=FINAL.keys())
def test_refusal_that_is_final_is_not_retried(refusal: bytes) -> None:
    with serving(refusal, WHOLE) as server, pytest.raises(ServiceError):
        service(server).get("accounts")
    assert len(server.asked) == 1


def test_service_that_is_not_reached_is_reported_after_all_tries() -> None:
    with serving(WHOLE) as server:
        away = service(server, ws_retry_count=1)
    with pytest.raises(ServiceError, match="after 2 tries: ConnectionError at 127"):
        away.get("accounts")


def test_host_without_an_address_is_retried_and_reported_in_one_sentence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No host has a name that ends with `.invalid` (RFC 6761, section 6.4)."""
    config = {"service_url": "https://organisation.invalid/api/data/v9.2/", "access_token": "x"}
    made = connect(Settings.from_config({**config, "ws_retry_count": 1}, JSON_SCHEMA)).client
    # Without the proxy of this machine.
    made.session.trust_env = False
    with pytest.raises(ServiceError) as caught:
        made.get("accounts")
    assert caught.value.message == (
        "The service could not be reached after 2 tries: ConnectionError at organisation.invalid."
    )
    (warning,) = (each.message for each in caplog.records if each.levelname == "WARNING")
    assert "(retry 1 of 1)" in warning


def test_tls_handshake_that_is_cut_off_is_retried() -> None:
    """An untrusted certificate is not retried: see test_certificates.py."""
    with serving(b"") as server:
        config = {"service_url": f"https://127.0.0.1:{server.port}/", "access_token": "x"}
        settings = Settings.from_config({**config, "ws_retry_count": 1}, JSON_SCHEMA)
        with pytest.raises(ServiceError, match="after 2 tries"):
            connect(settings).client.get("accounts")
    assert len(server.asked) == 2


def test_answer_that_is_late_is_requested_again() -> None:
    over = threading.Event()

    def silent(_: bytes) -> bytes:
        over.wait(30)
        return b""

    with serving(silent, WHOLE) as server:
        service(server, ws_timeout=1).get("accounts")
        over.set()
    assert len(server.asked) == 2


def test_redirect_that_never_ends_is_one_sentence_without_retries() -> None:
    with serving(answer(b"", 302, Location="/api/data/v9.2/accounts")) as server:
        with pytest.raises(ServiceError, match="TooManyRedirects"):
            service(server).get("accounts")
        assert len(server.asked) == requests.sessions.DEFAULT_REDIRECT_LIMIT + 1


SECONDS_ASKED = 2


def test_requests_of_all_threads_wait_until_retry_after_has_passed() -> None:
    """This includes the refused request, all other requests, and those for a token."""
    refused = threading.Event()

    def refuse(_: bytes) -> bytes:
        refused.set()
        return failing(429, "0x80072322", Retry_After=str(SECONDS_ASKED))

    token = answer(json.dumps({"access_token": "x", "expires_in": 1}).encode())
    with serving(token, refuse, token, WHOLE) as server:
        signing_in = {"client_id": "invented", "client_secret": "invented-client-secret"}
        made = service(server, token_uri=f"{server.url}/token", **signing_in)
        first = threading.Thread(target=made.get, args=("accounts",))
        first.start()
        assert refused.wait(30)
        # The other requests start after the refusal has arrived.
        while not made.throttle.waited and first.is_alive():
            time.sleep(0.01)
        others = [threading.Thread(target=made.get, args=("contacts",)) for _ in range(4)]
        for thread in others:
            thread.start()
        for thread in (first, *others):
            thread.join(30)
    token_at, refused_at, *later = server.times
    assert token_at < refused_at
    assert len(later) >= 5
    assert min(later) >= refused_at + SECONDS_ASKED


def test_request_that_waited_for_a_token_waits_for_the_throttle_too() -> None:
    """The service throttles another request while the token is requested."""
    made: list[ODataClient] = []

    def give(_: bytes) -> bytes:
        made[0].throttle.pause_all(SECONDS_ASKED)
        return answer(json.dumps({"access_token": "x"}).encode())

    with serving(give, WHOLE) as server:
        signing_in = {"client_id": "invented", "client_secret": "invented-client-secret"}
        made.append(service(server, token_uri=f"{server.url}/token", **signing_in))
        made[0].get("accounts")
    token_at, page_at = server.times
    assert page_at >= token_at + SECONDS_ASKED


ABSURD = ["999999999", format_datetime(datetime(9999, 12, 31, tzinfo=UTC), usegmt=True)]


@pytest.mark.parametrize("asked", [*ABSURD, "600"])
def test_throttled_request_with_a_wait_beyond_the_limit_fails_alone(asked: str) -> None:
    with serving(failing(429, "0x80072322", Retry_After=asked), WHOLE) as server:
        made = service(server, ws_retry_wait_limit=599)
        with pytest.raises(ServiceError, match="ws_retry_wait_limit"):
            made.get("accounts")
        assert len(server.asked) == 1
        assert made.get("contacts").content == PAGE
    # The other requests are paused as long as without Retry-After.
    refused_at, next_at = server.times
    assert next_at >= refused_at + FIRST_WAIT


def test_throttled_requests_share_a_pause_within_the_limit() -> None:
    """A request that has waited for too long fails, and the others wait."""
    with serving(failing(429, Retry_After="1"), failing(429, Retry_After="1"), WHOLE) as server:
        made = service(server, ws_retry_wait_limit=1)
        with pytest.raises(ServiceError, match="ws_retry_wait_limit"):
            made.get("accounts")
        made.get("contacts")
    _, refused_at, next_at = server.times
    assert next_at >= refused_at + 1


@pytest.mark.parametrize(
    "broken", [RESET, failing(503, Retry_After=ABSURD[0]), failing(503, Retry_After=ABSURD[1])]
)
def test_transient_failure_with_a_throttling_limit_of_0_is_retried(broken: bytes) -> None:
    with serving(broken, WHOLE) as server:
        assert service(server, ws_retry_wait_limit=0).get("accounts").content == PAGE
    assert len(server.asked) == 2


def test_transient_failure_with_retry_after_waits_up_to_the_limit_in_total() -> None:
    asking = failing(503, Retry_After="2")
    with serving(asking, failing(503, Retry_After="999999999"), WHOLE) as server:
        service(server, ws_retry_wait_limit=5).get("accounts")
    first, second, third = server.times
    assert second - first >= 2
    # 3 of the 5 seconds are left.
    assert 3 <= third - second < 60


@pytest.mark.parametrize("headers", [{}, {"Retry_After": ABSURD[0]}])
def test_sign_in_that_fails_for_now_is_retried_with_a_throttling_limit_of_0(
    headers: dict[str, str],
) -> None:
    """Requests that wait for the token do not count this wait as throttling."""
    busy = answer(b'{"error": "temporarily_unavailable"}', 503, **headers)
    token = answer(json.dumps({"access_token": "x", "expires_in": 3_600}).encode())
    with serving(busy, token, WHOLE) as server:
        signing_in = {"client_id": "invented", "client_secret": "invented-client-secret"}
        made = service(server, token_uri=f"{server.url}/token", ws_retry_wait_limit=0, **signing_in)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(made.get, ["accounts"] * 4))
    assert [each.content for each in answers] == [PAGE] * 4
    # One request fetches the token for all.
    assert [line.split()[0] for line in server.asked] == ["POST"] * 2 + ["GET"] * 4


def test_service_that_always_sends_retry_after_0_is_not_flooded() -> None:
    with serving(failing(429, "0x80072322")) as server:
        with pytest.raises(ServiceError, match="ws_retry_wait_limit"):
            service(server, ws_retry_wait_limit=1).get("accounts")
        assert len(server.asked) <= 6


def test_sign_in_that_is_refused_raises_a_sign_in_error() -> None:
    refusal = answer(b'{"error": "invalid_grant", "error_description": "AADSTS50173: No."}', 400)
    with serving(refusal) as server:
        signing_in = {"client_id": "invented", "client_secret": "invented-client-secret"}
        with pytest.raises(SignInError):
            service(server, token_uri=f"{server.url}/token", **signing_in).get("accounts")
    assert server.asked == ["POST /token"]


def test_token_that_is_refused_when_new_is_renewed() -> None:
    token = answer(json.dumps({"access_token": "x", "expires_in": 3_600}).encode())
    with serving(token, failing(401), token, WHOLE) as server:
        signing_in = {"client_id": "invented", "client_secret": "invented-client-secret"}
        made = service(server, token_uri=f"{server.url}/token", **signing_in)
        assert made.get("accounts").content == PAGE
    assert [line.split()[0] for line in server.asked] == ["POST", "GET", "POST", "GET"]


def headers(**given: str) -> requests.Response:
    """Build an answer that has only headers."""
    made = requests.Response()
    made.headers.update({name.replace("_", "-"): value for name, value in given.items()})
    return made


MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


def written(seconds: int) -> str:
    """Write a time after midnight as an HTTP date."""
    return format_datetime(MIDNIGHT + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("17", 17),
        (" 17 ", 17),
        ("0", 0),
        ("1.5", 1.5),
        ("30, 30", 30),
        ("5,17 , 9", 17),
        ("5, soon", None),
        (written(90), 30),
        (written(10), 0),
        ("Thursday, 01-Jan-26 00:01:30 GMT", 30),
        ("", None),
        ("-1", None),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("99999999999999999999", None),
    ],
)
def test_retry_after_in_any_form_is_seconds_or_a_date_by_the_services_clock(
    text: str, seconds: float | None
) -> None:
    assert retry_after(headers(Retry_After=text, Date=written(60))) == seconds


@given(st.text(), st.text())
def test_retry_after_with_any_text_is_seconds_or_none(text: str, date: str) -> None:
    seconds = retry_after(headers(Retry_After=text, Date=date))
    assert seconds is None or seconds >= 0


@given(st.binary(), st.sampled_from([200, 204, 400, 403, 408, 429, 500, 503]), st.booleans())
def test_answer_with_any_body_is_accepted_or_raises_an_error_of_the_tap(
    body: bytes,
    status: int,
    declared: bool,  # noqa: FBT001 - hypothesis passes it
) -> None:
    made = service(_somewhere)
    given = requests.Response()
    given.status_code, given._content = status, body  # noqa: SLF001 - requests has no public way
    given.url = made.url
    given.request = requests.Request(
        "GET", made.url, headers={"Accept": "application/json"}
    ).prepare()
    if declared:
        given.headers["Content-Type"] = "application/json"
    with suppress(Dynamics365Error):
        made.check(given)
        check_whole(given, made.dialect.errors, is_reached=False)
        assert body.strip()


class _Somewhere:
    url = "http://127.0.0.1:9"


_somewhere: Any = _Somewhere()
