"""Limits and errors: requests per user, permissions, read-only connections, lengths, faults."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests

from sandbox.business_central import addresses
from sandbox.business_central.companies import MAIN
from sandbox.faults.central_mishaps import CENTRAL_KINDS
from tests.sandbox.api import TIMEOUT, Api

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox


def wait_for(sandbox: CentralSandbox, waiting: int) -> None:
    """Return as soon as this many requests wait."""
    while sandbox.gate()["waiting"] < waiting:
        pass


def test_limits_of_a_user_are_those_of_the_documentation(central: CentralSandbox) -> None:
    found = central.switches()
    names = ("parallel_requests", "queued_requests", "requests_in_window", "longest_wait")
    assert [found[name] for name in names] == [5, 95, 6_000, 480]


def test_requests_wait_for_their_turn_and_those_beyond_are_refused(api: Api) -> None:
    api.sandbox.configure(parallel_requests=0, queued_requests=2)
    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(Api(api.sandbox).get, "customers?$top=1") for _ in range(2)]
        wait_for(api.sandbox, 2)
        response = api.get("customers")
        assert response.status_code == 429
        assert "Retry-After" not in response.headers
        error = response.json()["error"]
        assert error["code"] == "Application_TooManyRequests"
        assert "Too many requests reached. Actual (3). Maximum (2)." in error["message"]
        api.sandbox.configure(parallel_requests=1)
        assert [each.result().status_code for each in waiting] == [200, 200]
    assert api.sandbox.gate() == {"working": 0, "waiting": 0}


def test_request_that_waits_too_long_is_refused(api: Api) -> None:
    api.sandbox.configure(parallel_requests=0, longest_wait=0.01)
    response = api.get("customers")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "30"
    api.sandbox.configure(parallel_requests=5)
    assert api.get("customers").status_code == 200


def test_requests_beyond_the_window_are_refused(changing: CentralSandbox) -> None:
    api = Api(changing)
    changing.configure(requests_in_window=3)
    assert [api.get("companies").status_code for _ in range(5)] == [200] * 3 + [429] * 2
    changing.configure(requests_in_window=0)
    assert api.get("companies").status_code == 200


def test_table_without_permission_is_refused(api: Api) -> None:
    api.sandbox.configure(forbidden_tables=["vendors"], permission_status=400)
    status, code, message = api.refusal("vendors")
    assert (status, code) == (400, "Internal_ServerError")
    assert "(TableData vendors Read: Base Application)" in message
    assert api.get("customers").status_code == 200


def test_page_that_writes_is_refused_on_a_read_only_connection(api: Api) -> None:
    api.sandbox.configure(writing_pages=["items"])
    status, _, message = api.refusal("items", Data_Access_Intent="ReadOnly")
    assert status == 400
    assert "Cannot insert a record. Current connection intent is Read-Only." in message
    assert api.get("items", Data_Access_Intent="ReadWrite").status_code == 200
    assert api.get("items").status_code == 200
    assert api.get("customers", Data_Access_Intent="ReadOnly").status_code == 200


def test_replica_lags_behind_reads_that_write(changing: CentralSandbox) -> None:
    api = Api(changing)
    changing.configure(replica_lags=True)
    changing.insert("customers", [{"number": "NEW"}])
    path = "customers?$filter=number eq 'NEW'"
    assert api.read(path)["value"] == []
    assert api.read(path, Data_Access_Intent="ReadOnly")["value"] == []
    assert len(api.read(path, Data_Access_Intent="ReadWrite")["value"]) == 1
    changing.configure(replica_lags=False)
    assert len(api.read(path)["value"]) == 1


@pytest.mark.parametrize(("spare", "status"), [(0, 200), (1, 414)])
def test_query_string_above_the_limit_is_refused(api: Api, spare: int, status: int) -> None:
    start = "$filter=number%20eq%20'"
    text = "x" * (8_099 - len(start) - 1 + spare)
    response = api.get(f"customers?{start}{text}'")
    assert response.status_code == status


def test_on_premises_takes_longer_query_strings(central: CentralSandbox) -> None:
    url = f"{central.on_premises_url}customers?$filter=number%20eq%20'"
    keys = (addresses.USER, addresses.ACCESS_KEY)
    statuses = [
        requests.get(f"{url}{'x' * length}'", auth=keys, timeout=TIMEOUT).status_code
        for length in (9_000, 16_000)
    ]
    assert statuses == [200, 400]


def test_writes_are_refused(api: Api) -> None:
    url = f"{api.sandbox.service_url}customers"
    response = api.session.post(url, json={}, timeout=TIMEOUT)
    assert response.status_code == 405
    assert response.json()["error"]["code"] == "BadRequest_MethodNotAllowed"


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "Unknown", "Please try again later."),
        (409, "Internal_ServerError", "Your activity was deadlocked."),
        (409, "Request_EntityChanged", ""),
        (503, "Internal_TenantUnavailable", ""),
    ],
)
def test_faults_come_in_the_form_of_the_service(
    api: Api, status: int, code: str, message: str
) -> None:
    order = {"status": status, "code": code, "message": message, "error_form": "central"}
    api.sandbox.fault("customers", **order)
    found, name, text = api.refusal("customers")
    assert (found, name) == (status, code)
    assert message in text
    assert "As ordered" not in text
    assert "CorrelationId:" in text
    assert api.get("customers").status_code == 200


@pytest.mark.parametrize("sort", [*CENTRAL_KINDS])
def test_every_fault_of_the_catalogue_can_be_ordered(api: Api, sort: str) -> None:
    for attributes in CENTRAL_KINDS[sort].values():
        api.sandbox.fault("items", **attributes)
        expected = attributes.get("status", 401 if attributes.get("expire_tokens") else 200)
        broken = {"drop", "reset", "truncate"} & attributes.keys()
        try:
            response = api.get("items")
            assert not broken
            assert response.status_code == expected
        except requests.exceptions.RequestException:
            assert broken or attributes.get("garble")
        if attributes.get("expire_tokens"):
            api.sign_in()
    assert set(api.sandbox.hits()) == {1}


def test_log_has_paths_queries_and_headers(api: Api) -> None:
    api.get(f"companies({MAIN.id})/customers?$top=1", Data_Access_Intent="ReadOnly")
    (entry,) = api.sandbox.requests()[-1:]
    assert entry["path"].endswith(f"/api/v2.0/companies({MAIN.id})/customers")
    assert entry["query"] == {"$top": "1"}
    assert entry["headers"]["data-access-intent"] == "ReadOnly"
