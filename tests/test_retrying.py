"""When a request is repeated and when not, against a server that says what it is told to."""

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
# Sent with an answer, it spares the tests the back-off.
NOW = {"Retry_After": "0"}


def service(server: Scripted, **more: Any) -> ODataClient:
    """Set up what speaks to a server."""
    config = {"service_url": f"{server.url}/api/data/v9.2/", **more}
    if "client_id" not in config:
        config["access_token"] = "an-invented-token"  # noqa: S105 - it says so
    return connect(Settings.from_config(config, JSON_SCHEMA)).client


def failing(status: int, code: str = "", message: str = "As ordered.", **headers: str) -> bytes:
    """Write a refusal."""
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return answer(body, status, **{**NOW, **headers})


def chunked(*pieces: bytes, whole: bool) -> bytes:
    """Write an answer in chunks."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    body += b"0\r\n\r\n" if whole else b""
    return answer(body, length=-1, Transfer_Encoding="chunked")


BROKEN = {
    "closed without an answer": b"",
    "reset": RESET,
    "no HTTP": b"220 invented.example ESMTP\r\n",
    "cut before the announced length": answer(PAGE[:20], length=len(PAGE)),
    "cut between two chunks": chunked(PAGE[:9], PAGE[9:20], whole=False),
    "cut in the middle of what was compressed": answer(
        gzip.compress(PAGE)[:-12], length=-1, Content_Encoding="gzip"
    ),
    "compressed, it says, but is not": answer(PAGE, Content_Encoding="gzip"),
    "cut where nobody had announced a length": answer(PAGE[:20], length=-1, **NOW),
    "cut behind a whole row": answer(PAGE[:-2], **NOW),
    "empty": answer(b"", **NOW),
    "blank": answer(b" \r\n", **NOW),
    "without a body": answer(b"", 204, **NOW),
    "twice in one": answer(PAGE + PAGE, **NOW),
    "spoilt in the middle": answer(PAGE.replace(b":", b"", 1), **NOW),
    "no UTF-8": answer(PAGE.replace(b"ware", b"\xff\xfe"), **NOW),
    "text": answer(b"Service is starting up", Content_Type="text/plain", **NOW),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_an_answer_is_whole_or_asked_for_again(broken: bytes) -> None:
    with serving(broken, WHOLE) as server:
        assert service(server).get("accounts").content == PAGE
    assert len(server.asked) == 2


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_an_answer_that_is_never_whole_is_one_sentence(broken: bytes) -> None:
    with serving(broken) as server, pytest.raises(ServiceError) as caught:
        service(server, ws_retry_count=0).get("accounts")
    assert len(server.asked) == 1
    assert "\n" not in caught.value.message
    assert " at ." not in caught.value.message
    assert caught.value.message.endswith(".")


def test_a_whole_answer_in_chunks_or_compressed_is_taken() -> None:
    compressed = answer(gzip.compress(PAGE), Content_Encoding="gzip")
    for said in (WHOLE, chunked(PAGE[:9], PAGE[9:], whole=True), compressed, answer(PAGE)):
        with serving(said) as server:
            assert service(server, ws_retry_count=0).get("accounts").content == PAGE


PASSING = {
    "408": failing(408),
    "429": failing(429),
    "502": failing(502),
    "503": failing(503),
    "520 of a content delivery network": failing(520),
    "599": failing(599),
    "500 without a body": answer(b"", 500, **NOW),
    "500 without code or words": failing(500),
    "403 with a code of the database": failing(403, "0x80044150", "Generic SQL error."),
    "404 with the unexpected": failing(404, "0x80040216", "An unexpected error occurred."),
    "501 with a limit": failing(501, "0x80072322"),
    "words of SQL": failing(400, "", "Execution Timeout Expired."),
    "words of a limit": failing(400, "", "Number of requests exceeded the limit of 6000."),
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
    "the same with a 400": failing(400, "0x80040216", "An unexpected error occurred."),
    "an error of SQL": failing(500, "0x80044150", "Generic SQL error."),
    "the same with a 400 too": failing(400, "0x80044150", "Generic SQL error."),
    "words alone": failing(500, "Internal_Invented", "Please try again later."),
    "words with a 400": failing(400, "Application_Invented", "Please try again later."),
    "a limit with a 400": failing(400, "0x80048744", "This query cannot be executed."),
    "a web page of a gateway": answer(b"<html>", 502, Content_Type="text/html", **NOW),
}
FINAL = {
    "400": failing(400, "0x80060888"),
    "404 with passing words": failing(404, "", "Please try again later."),
    "412": failing(412),
    "500 of a plug-in": failing(500, "0x80040265", "A plug-in failed."),
    "400 of a plug-in": failing(400, "0x80040265", "A plug-in failed."),
    "an error of SQL that stays": failing(400, "0x80044150", "Generic SQL error. Sql Number: 208"),
    "501": failing(501, "", "Please try again later."),
    "a web page": answer(b"<html>", Content_Type="text/html", **NOW),
    "a web page that claims to be JSON": answer(b"<!DOCTYPE html><html>", **NOW),
}


@pytest.mark.parametrize("refusal", PASSING.values(), ids=PASSING.keys())
def test_a_passing_refusal_is_asked_again(refusal: bytes) -> None:
    with serving(refusal, WHOLE) as server:
        service(server).get("accounts")
    assert len(server.asked) == 2


@pytest.mark.parametrize("refusal", FINAL.values(), ids=FINAL.keys())
def test_any_other_refusal_is_not(refusal: bytes) -> None:
    with serving(refusal, WHOLE) as server, pytest.raises(ServiceError):
        service(server).get("accounts")
    assert len(server.asked) == 1


def test_a_service_that_is_not_there_is_told_after_all_tries() -> None:
    with serving(WHOLE) as server:
        away = service(server, ws_retry_count=1)
    with pytest.raises(ServiceError, match="after 2 tries: ConnectionError at 127"):
        away.get("accounts")


def test_a_host_that_has_no_address_is_asked_for_again_and_told_in_one_sentence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No name ends with `.invalid` (RFC 6761, section 6.4)."""
    config = {"service_url": "https://organisation.invalid/api/data/v9.2/", "access_token": "x"}
    made = connect(Settings.from_config({**config, "ws_retry_count": 1}, JSON_SCHEMA)).client
    # Whatever proxy this machine may have.
    made.session.trust_env = False
    with pytest.raises(ServiceError) as caught:
        made.get("accounts")
    assert caught.value.message == (
        "The service could not be reached after 2 tries: ConnectionError at organisation.invalid."
    )
    (warning,) = (each.message for each in caplog.records if each.levelname == "WARNING")
    assert "(retry 1 of 1)" in warning


def test_a_handshake_that_breaks_off_is_repeated() -> None:
    """A certificate that can't be trusted is not: see the tests of sign-in."""
    with serving(b"") as server:
        config = {"service_url": f"https://127.0.0.1:{server.port}/", "access_token": "x"}
        settings = Settings.from_config({**config, "ws_retry_count": 1}, JSON_SCHEMA)
        with pytest.raises(ServiceError, match="after 2 tries"):
            connect(settings).client.get("accounts")
    assert len(server.asked) == 2


def test_no_answer_in_time_is_repeated() -> None:
    over = threading.Event()

    def silent(_: bytes) -> bytes:
        over.wait(30)
        return b""

    with serving(silent, WHOLE) as server:
        service(server, ws_timeout=1).get("accounts")
        over.set()
    assert len(server.asked) == 2


def test_a_redirect_that_never_ends_is_one_sentence_at_once() -> None:
    with serving(answer(b"", 302, Location="/api/data/v9.2/accounts")) as server:
        with pytest.raises(ServiceError, match="TooManyRedirects"):
            service(server).get("accounts")
        assert len(server.asked) == requests.sessions.DEFAULT_REDIRECT_LIMIT + 1


SECONDS_ASKED = 2


def test_nothing_is_sent_before_retry_after_has_passed() -> None:
    """Neither by the request that was refused nor by others, those for a token included."""
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
        # Its refusal is on its way; whoever comes after it waits.
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


def test_who_waited_in_line_for_a_token_waits_for_the_service_too() -> None:
    """The service refuses another request while the token is on its way."""
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
def test_throttled_request_that_is_asked_to_wait_beyond_the_limit_fails_alone(asked: str) -> None:
    with serving(failing(429, "0x80072322", Retry_After=asked), WHOLE) as server:
        made = service(server, ws_retry_wait_limit=599)
        with pytest.raises(ServiceError, match="ws_retry_wait_limit"):
            made.get("accounts")
        assert len(server.asked) == 1
        assert made.get("contacts").content == PAGE
    # The others are held back all the same, for as long as they are where no time is given.
    refused_at, next_at = server.times
    assert next_at >= refused_at + FIRST_WAIT


def test_throttled_requests_share_a_wait_that_each_may_wait_for() -> None:
    """A request that has waited for too long fails; those that have not yet, wait."""
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
def test_ordinary_failure_is_repeated_whatever_the_limit_of_throttling(broken: bytes) -> None:
    with serving(broken, WHOLE) as server:
        assert service(server, ws_retry_wait_limit=0).get("accounts").content == PAGE
    assert len(server.asked) == 2


def test_ordinary_failure_waits_as_long_as_asked_up_to_the_limit_in_sum() -> None:
    asking = failing(503, Retry_After="2")
    with serving(asking, failing(503, Retry_After="999999999"), WHOLE) as server:
        service(server, ws_retry_wait_limit=5).get("accounts")
    first, second, third = server.times
    assert second - first >= 2
    # Of the 5 seconds, 3 are left.
    assert 3 <= third - second < 60


@pytest.mark.parametrize("headers", [{}, {"Retry_After": ABSURD[0]}])
def test_sign_in_that_fails_for_now_is_repeated_whatever_the_limit_of_throttling(
    headers: dict[str, str],
) -> None:
    """Those that wait for the token count nothing of it as throttling either."""
    busy = answer(b'{"error": "temporarily_unavailable"}', 503, **headers)
    token = answer(json.dumps({"access_token": "x", "expires_in": 3_600}).encode())
    with serving(busy, token, WHOLE) as server:
        signing_in = {"client_id": "invented", "client_secret": "invented-client-secret"}
        made = service(server, token_uri=f"{server.url}/token", ws_retry_wait_limit=0, **signing_in)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(made.get, ["accounts"] * 4))
    assert [each.content for each in answers] == [PAGE] * 4
    # One asks on behalf of all.
    assert [line.split()[0] for line in server.asked] == ["POST"] * 2 + ["GET"] * 4


def test_a_service_that_asks_for_no_wait_again_and_again_is_not_flooded() -> None:
    with serving(failing(429, "0x80072322")) as server:
        with pytest.raises(ServiceError, match="ws_retry_wait_limit"):
            service(server, ws_retry_wait_limit=1).get("accounts")
        assert len(server.asked) <= 6


def test_a_sign_in_that_is_refused_in_the_middle_is_its_own_error() -> None:
    refusal = answer(b'{"error": "invalid_grant", "error_description": "AADSTS50173: No."}', 400)
    with serving(refusal) as server:
        signing_in = {"client_id": "invented", "client_secret": "invented-client-secret"}
        with pytest.raises(SignInError):
            service(server, token_uri=f"{server.url}/token", **signing_in).get("accounts")
    assert server.asked == ["POST /token"]


def test_a_token_that_is_refused_as_soon_as_it_was_given_is_renewed() -> None:
    token = answer(json.dumps({"access_token": "x", "expires_in": 3_600}).encode())
    with serving(token, failing(401), token, WHOLE) as server:
        signing_in = {"client_id": "invented", "client_secret": "invented-client-secret"}
        made = service(server, token_uri=f"{server.url}/token", **signing_in)
        assert made.get("accounts").content == PAGE
    assert [line.split()[0] for line in server.asked] == ["POST", "GET", "POST", "GET"]


def headers(**given: str) -> requests.Response:
    """Make an answer of headers alone."""
    made = requests.Response()
    made.headers.update({name.replace("_", "-"): value for name, value in given.items()})
    return made


MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


def written(seconds: int) -> str:
    """A moment after midnight as HTTP writes it."""
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
def test_retry_after_is_seconds_or_a_date_by_the_services_clock(
    text: str, seconds: float | None
) -> None:
    assert retry_after(headers(Retry_After=text, Date=written(60))) == seconds


@given(st.text(), st.text())
def test_whatever_the_header_says_there_are_seconds_or_none(text: str, date: str) -> None:
    seconds = retry_after(headers(Retry_After=text, Date=date))
    assert seconds is None or seconds >= 0


@given(st.binary(), st.sampled_from([200, 204, 400, 403, 408, 429, 500, 503]), st.booleans())
def test_whatever_is_answered_the_outcome_is_an_answer_or_an_error_of_our_own(
    body: bytes,
    status: int,
    declared: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    made = service(_somewhere)
    given = requests.Response()
    given.status_code, given._content = status, body  # noqa: SLF001 - there is no other way
    given.url = made.url
    given.request = requests.Request(
        "GET", made.url, headers={"Accept": "application/json"}
    ).prepare()
    if declared:
        given.headers["Content-Type"] = "application/json"
    with suppress(Dynamics365Error):
        made.check(given)
        check_whole(given, is_reached=False)
        assert body.strip()


class _Somewhere:
    url = "http://127.0.0.1:9"


_somewhere: Any = _Somewhere()
