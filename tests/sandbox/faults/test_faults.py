"""Faults, and the log of requests."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from sandbox.client import SandboxError, running
from sandbox.faults.refusals import FORMS
from tests.sandbox.api import TIMEOUT, Api


def test_fault_with_a_status_sends_headers_and_body(api: Api) -> None:
    api.sandbox.fault("contacts", status=503, headers={"X-Told": "so"}, body={"error": "busy"})
    response = api.get("contacts")
    assert (response.status_code, response.headers["X-Told"]) == (503, "so")
    assert response.json() == {"error": "busy"}
    assert api.get("contacts").status_code == 200


@pytest.mark.parametrize(
    ("status", "code"), [(400, "0x80040203"), (500, "0x80040216"), (502, "0x80040203")]
)
def test_fault_with_a_status_alone_sends_an_error(api: Api, status: int, code: str) -> None:
    api.sandbox.fault("contacts", status=status)
    response = api.get("contacts")
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("requests", "0x80072322", "Number of requests exceeded the limit of 6000"),
        ("execution_time", "0x80072321", "1,200,000 milliseconds"),
        ("concurrency", "0x80072326", "Number of concurrent requests exceeded the limit of 52."),
    ],
)
def test_throttling_names_its_limit(api: Api, kind: str, code: str, words: str) -> None:
    api.sandbox.fault("accounts", throttle=kind, retry_after="17")
    response = api.get("accounts")
    assert (response.status_code, response.headers["Retry-After"]) == (429, "17")
    assert response.json()["error"]["code"] == code
    assert words in response.json()["error"]["message"]


def test_throttling_can_omit_retry_after(api: Api) -> None:
    api.sandbox.fault("accounts", throttle="requests", retry_after="")
    response = api.get("accounts")
    assert response.status_code == 429
    assert "Retry-After" not in response.headers


def test_retry_after_as_a_date_is_by_the_services_clock(api: Api) -> None:
    api.sandbox.configure(clock="2031-05-06T07:08:09+00:00")
    api.sandbox.fault("accounts", status=503, retry_after="51", retry_after_is_date=True)
    assert api.get("accounts").headers["Retry-After"] == "Tue, 06 May 2031 07:09:00 GMT"


def test_echo_repeats_the_request(api: Api) -> None:
    api.sandbox.fault("contacts", echo=True)
    response = api.get("contacts")
    authorization = str(api.session.headers["Authorization"])
    assert response.status_code == 400
    assert authorization in response.json()["error"]["message"]
    api.sandbox.fault("/token", echo=True)
    assert "a secret" in api.token(client_secret="a secret").json()["error_description"]  # noqa: S106


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_fault_with_a_code_is_sent_with_any_status(api: Api, status: int) -> None:
    api.sandbox.fault("contacts", status=status, code="0x80044151")
    assert api.refusal("contacts") == (status, "0x80044151", "SQL timeout expired.")
    api.sandbox.fault("contacts", status=status, code="", message="Ada", retry_after="7")
    assert api.refusal("contacts") == (status, "", "Ada")


def test_error_in_another_form_has_the_same_message(api: Api) -> None:
    said = {}
    for form in sorted(FORMS):
        api.sandbox.fault("contacts", status=400, code="0x80040220", message="No", error_form=form)
        response = api.get("contacts")
        assert response.status_code == 400
        said[form] = (response.headers["Content-Type"].partition(";")[0], response.text)
    assert {form for form, (_, text) in said.items() if "No" not in text} == set()
    assert json.loads(said["no_code"][1]) == {"error": {"message": "No"}}
    assert json.loads(said["decimal"][1])["error"]["code"] == "-2147220960"
    assert json.loads(said["exception"][1])["ExceptionMessage"] == "No"
    error = json.loads(said["odata_v3"][1])["odata.error"]
    assert error == {"code": "0x80040220", "message": {"lang": "en-US", "value": "No"}}
    assert said["xml"][0] == "application/xml"
    assert "<m:code>0x80040220</m:code><m:message>No</m:message>" in said["xml"][1]
    assert said["text"] == ("text/plain", "No")
    with pytest.raises(ValueError, match="escape"):
        json.loads(said["bad_escape"][1])
    inner = json.loads(said["inner"][1])["error"]["innererror"]
    assert inner["internalexception"]["internalexception"]["message"] == "No"


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_substitution_changes_only_the_text(api: Api, encoding: str) -> None:
    path = "contacts?$select=fullname,modifiedon&$top=100"
    api.sandbox.fault(
        "contacts",
        substitute=[
            (r'"fullname":"[^"]*"', r'"fullname":"\\ud83d"'),
            (r'"modifiedon":"(\d{4})[^"]*"', r'"ModifiedOn":"\g<1>"'),
        ],
    )
    response = api.get(path, Accept_Encoding=encoding)
    assert response.headers.get("Content-Encoding", "identity") == encoding
    rows = response.json()["value"]
    plain = api.read(path)["value"]
    assert len(rows) == 100
    for row, before in zip(rows, plain, strict=True):
        assert row["fullname"] == "\ud83d"
        assert row["ModifiedOn"] == before["modifiedon"][:4]
        assert row["contactid"] == before["contactid"]


def test_fault_in_a_batch_hits_only_its_part(api: Api) -> None:
    api.sandbox.fault("contacts", in_batch=True, status=400, code="0x80044150")
    assert api.get("contacts?$top=1").status_code == 200
    parts = "".join(
        "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"GET {path}?$top=1 HTTP/1.1\r\n\r\n\r\n"
        for path in ("accounts", "contacts", "contacts")
    )
    answer = api.session.post(
        f"{api.sandbox.service_url}$batch",
        f"{parts}--b--\r\n".encode(),
        headers={
            "Content-Type": "multipart/mixed; boundary=b",
            "Prefer": "odata.continue-on-error",
        },
        timeout=60,
    ).text
    assert re.findall(r"HTTP/1.1 (\d+)", answer) == ["200", "400", "200"]
    assert "0x80044150" in answer
    assert api.sandbox.hits() == [1]


@pytest.mark.parametrize("status", [400, 404, 414])
def test_long_url_gets_a_web_page_of_a_gateway(api: Api, status: int) -> None:
    api.sandbox.configure(longest_url=2_048, long_url_status=status)
    beginning = f"{api.sandbox.service_url}contacts?$top=1&$filter=fullname eq 'a'"
    filler = "%20" * ((2_048 - len(beginning.replace(" ", "%20")) - 2) // 3)
    assert api.get(beginning + filler).status_code == 200
    response = api.get(f"{beginning}{filler}%20%20")
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.text.startswith("<!DOCTYPE html>")


def test_fault_hits_the_selected_requests(api: Api) -> None:
    api.sandbox.fault(r"accounts.*\$top=\d", method="GET", status=500, skip=1, count=2)
    statuses = [api.get("accounts?$top=1").status_code for _ in range(5)]
    assert statuses == [200, 500, 500, 200, 200]
    assert api.get("contacts?$top=1").status_code == 200
    api.sandbox.fault("tasks", status=502, count=None, probability=0.5, seed=4)
    drawn = [api.get("tasks?$top=1").status_code for _ in range(30)]
    assert {200, 502} == set(drawn)
    api.sandbox.clear_faults()
    api.sandbox.fault("tasks", status=502, count=None, probability=0.5, seed=4)
    assert drawn == [api.get("tasks?$top=1").status_code for _ in range(30)]
    assert api.sandbox.hits() == [drawn.count(502)]


def test_fault_over_rows_hits_only_requests_for_larger_pages(api: Api) -> None:
    api.sandbox.fault("accounts", status=504, over_rows=10, count=None)
    sizes = ("odata.maxpagesize=11", "odata.maxpagesize=10,odata.track-changes", "")
    statuses = [api.get("accounts", prefer=size).status_code for size in sizes]
    assert statuses == [504, 200, 504]


def test_fault_hits_the_token_endpoint(api: Api) -> None:
    api.sandbox.fault("oauth2", status=500)
    assert api.token().status_code == 500
    assert api.token().status_code == 200


def test_drop_closes_the_connection(api: Api) -> None:
    api.sandbox.fault("contacts", drop=True)
    with pytest.raises(requests.ConnectionError):
        api.get("contacts")
    assert api.get("contacts").status_code == 200


def test_reset_resets_the_connection(api: Api) -> None:
    api.sandbox.fault("contacts", reset=True)
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        api.get("contacts")
    assert api.get("contacts").status_code == 200


def test_server_that_is_away_refuses_connections() -> None:
    # A sandbox of its own, because it serves nobody while it is away.
    with running(rows=10) as sandbox:
        api = Api(sandbox)
        sandbox.fault("contacts", away_ms=600_000)
        with pytest.raises(requests.ConnectionError):
            api.get("contacts")
        with pytest.raises(requests.ConnectionError, match="refused"):
            api.get("contacts")


def test_server_that_was_away_serves_again() -> None:
    with running(rows=10) as sandbox:
        api = Api(sandbox)
        sandbox.fault("contacts", away_ms=50)
        answers = []
        while not answers:
            with contextlib.suppress(requests.ConnectionError):
                answers.append(api.get("contacts").status_code)
        assert answers == [200]
        assert sandbox.hits() == [1]


def test_server_that_goes_away_leaves_no_accepted_connection_open() -> None:
    with running(rows=10) as sandbox:
        api, parts = Api(sandbox), urlsplit(sandbox.url)

        def is_ended() -> bool:
            """Whether a connection is answered, closed or refused."""
            try:
                with socket.create_connection((parts.hostname, parts.port), TIMEOUT) as client:
                    client.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
                    client.recv(1)
            except TimeoutError:
                return False
            except OSError:
                pass
            return True

        with ThreadPoolExecutor(16) as pool:
            for _ in range(10):
                sandbox.fault("contacts", away_ms=20)
                clients = [pool.submit(is_ended) for _ in range(100)]
                with contextlib.suppress(requests.ConnectionError):
                    api.get("contacts")
                assert all(client.result() for client in clients)
                # The control API answers again.
                while True:
                    with contextlib.suppress(OSError):
                        sandbox.clear_faults()
                        break


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_cut_ends_the_body_in_the_middle(api: Api, encoding: str) -> None:
    whole = len(api.get("contacts", Accept_Encoding="identity").content)
    api.sandbox.fault("contacts", cut=True)
    response = api.get("contacts", Accept_Encoding=encoding)
    assert response.status_code == 200
    assert 0 < len(response.content) < whole


def test_garble_makes_the_body_invalid(api: Api) -> None:
    api.sandbox.fault("contacts", garble=True, count=2)
    with pytest.raises(requests.exceptions.ContentDecodingError):
        api.get("contacts", Accept_Encoding="gzip")
    spoilt = api.get("contacts", Accept_Encoding="identity").content
    whole = api.get("contacts", Accept_Encoding="identity").content
    assert len(spoilt) == len(whole)
    with pytest.raises(ValueError, match="'utf-8' codec"):
        spoilt.decode()


def test_dribble_sends_the_body_in_pieces(api: Api) -> None:
    whole = api.read("contacts")
    api.sandbox.fault("contacts", dribble_ms=1)
    assert api.read("contacts") == whole


def test_expire_tokens_expires_tokens_in_the_middle_of_a_run(api: Api) -> None:
    assert api.get("contacts?$top=1").status_code == 200
    api.sandbox.fault("contacts", expire_tokens=True)
    assert api.get("contacts?$top=1").status_code == 401
    api.sign_in()
    assert api.get("contacts?$top=1").status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_truncate_closes_the_connection_in_the_body(api: Api, encoding: str) -> None:
    api.sandbox.fault("contacts", truncate=True)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        api.get("contacts", Accept_Encoding=encoding)


def test_next_link_can_be_repeated(api: Api) -> None:
    prefer = "odata.maxpagesize=5"
    second = api.read("contacts", Prefer=prefer)["@odata.nextLink"]
    api.sandbox.fault("contacts", repeat_next_link=True)
    assert api.read(second, Prefer=prefer)["@odata.nextLink"] == second
    assert api.read(second, Prefer=prefer)["@odata.nextLink"] != second


def test_next_link_can_be_relative(api: Api) -> None:
    api.sandbox.fault("contacts", relative_next_link=True)
    link = api.read("contacts", Prefer="odata.maxpagesize=5")["@odata.nextLink"]
    assert link.startswith("contacts?$skiptoken=")
    assert len(api.read(link)["value"]) == len(api.sandbox.rows("contact")) - 5


def test_empty_page_has_a_next_link(api: Api) -> None:
    api.sandbox.fault("contacts", empty_page=True, count=2)
    api.sandbox.fault("contacts", empty_page=True, skip=2)
    pages = api.pages("contacts", 100)
    assert [len(page) for page in pages[:3]] == [0, 0, 100]
    assert 0 in [len(page) for page in pages[3:]]
    keys = [row["contactid"] for page in pages for row in page]
    assert keys == [row["contactid"] for row in api.sandbox.rows("contact")]


def test_html_sends_a_web_page(api: Api) -> None:
    api.sandbox.fault("contacts", html=True)
    response = api.get("contacts")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")


def test_order_that_is_invalid_is_refused(api: Api) -> None:
    with pytest.raises(SandboxError, match="statuss"):
        api.sandbox.fault("contacts", statuss=500)
    with pytest.raises(SandboxError, match="needs a status"):
        api.sandbox.fault("contacts", code="0x80044150")
    with pytest.raises(SandboxError, match="Unknown form"):
        api.sandbox.fault("contacts", status=400, error_form="yaml")
    with pytest.raises(SandboxError, match="bad escape"):
        api.sandbox.fault("contacts", substitute=[("a", r"\ud83d")])
    with pytest.raises(SandboxError, match="a method, a path and perhaps a body"):
        api.sandbox.fault("contacts", change=["DELETE"])
    with pytest.raises(SandboxError, match="Within a batch"):
        api.sandbox.fault("contacts", in_batch=True, drop=True)
    with pytest.raises(SandboxError, match="guid_comparison is one of"):
        api.sandbox.configure(guid_comparison="perhaps")
    with pytest.raises(SandboxError, match="Unknown switches"):
        api.sandbox.configure(page_delay=5)
    key = api.sandbox.rows("account")[0]["accountid"]
    with pytest.raises(SandboxError, match="UNIQUE"):
        api.sandbox.insert("account", [{"accountid": key}])
    with pytest.raises(SandboxError, match="MetadataCache"):
        api.sandbox.rows("nothing")


def test_log_has_the_requests(api: Api) -> None:
    api.sandbox.clear_requests()
    api.get("contacts?$filter=fullname eq 'a b'", Prefer="odata.maxpagesize=3", User_Agent="me/1")
    api.get("nothing")
    first, second = api.sandbox.requests()
    assert first["method"] == "GET"
    assert first["path"] == "/api/data/v9.2/contacts"
    assert first["query"] == {"$filter": "fullname eq 'a b'"}
    assert first["headers"]["prefer"] == "odata.maxpagesize=3"
    assert first["headers"]["user-agent"] == "me/1"
    assert first["cookie"] is False
    assert first["status"] == 200
    assert first["bytes"] > 0
    assert first["at"] < first["answered_at"] < second["at"]
    assert (first["fault"], first["order"], first["retry_after"]) == (False, None, "")
    assert (second["status"], second["cookie"]) == (404, True)


def test_log_has_the_fault_that_hit_a_request(api: Api) -> None:
    api.sandbox.fault("accounts", status=500)
    api.sandbox.fault("contacts", throttle="requests", retry_after="3")
    api.sandbox.clear_requests()
    api.get("contacts")
    (request,) = api.sandbox.requests()
    assert (request["fault"], request["order"], request["retry_after"]) == (True, 1, "3")


def test_slow_pages_are_served_concurrently(api: Api) -> None:
    # Each request waits for the whole delay: one after another they would take two minutes.
    api.sandbox.configure(page_delay_ms=2_000)
    threads = [threading.Thread(target=api.get, args=("accounts?$top=1",)) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)


def test_held_request_is_served_once_the_faults_are_cleared(api: Api) -> None:
    api.sandbox.fault("contacts", hold=True)
    with ThreadPoolExecutor() as pool:
        held = pool.submit(api.get, "contacts")
        while api.sandbox.hits() == [0]:
            assert not held.done()
        assert api.get("accounts").status_code == 200
        assert not held.done()
        api.sandbox.clear_faults()
        assert held.result(TIMEOUT).status_code == 200
