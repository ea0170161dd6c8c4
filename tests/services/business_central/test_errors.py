"""Refusals of Business Central: what each one means, and what a user reads."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.faults.central_forms import DEADLOCK, MESSAGES, TRY_LATER
from tap_dynamics365.errors import Failure
from tap_dynamics365.http import refusal
from tap_dynamics365.http.response import classify
from tap_dynamics365.services.business_central import errors
from tests.servers.scripted import answer, serving
from tests.tap import Tap

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox
    from tests.tap import Run

BASIC = {
    "authentication_method": "Basic",
    "user": "SANDBOX",
    "password": "sandbox-access-key-not-real",
}
ID = "01234567-89ab-cdef-0123-456789abcdef"
CODES = {
    "Application_CallbackNotAllowed": Failure.FATAL,
    "Application_DialogException": Failure.NEEDS_PARENT,
    "Application_FieldValidationException": Failure.FATAL,
    "Application_FilterErrorException": Failure.NOT_UNDERSTOOD,
    "Application_TooManyRequests": Failure.THROTTLED,
    "Authentication_InvalidCredentials": Failure.UNAUTHORIZED,
    "BadRequest": Failure.NOT_UNDERSTOOD,
    "BadRequest_InvalidRequestUrl": Failure.NOT_UNDERSTOOD,
    "BadRequest_InvalidToken": Failure.NOT_UNDERSTOOD,
    "BadRequest_MethodNotAllowed": Failure.NOT_UNDERSTOOD,
    "BadRequest_MethodNotImplemented": Failure.NOT_UNDERSTOOD,
    "BadRequest_NotFound": Failure.NOT_UNDERSTOOD,
    "BadRequest_ResourceNotFound": Failure.GONE,
    "Internal_CompanyNotFound": Failure.GONE,
    "Internal_DataNotFoundFilter": Failure.FATAL,
    "Internal_RecordNotFound": Failure.GONE,
    "Internal_ServerError": Failure.NOT_UNDERSTOOD,
    "Internal_TenantUnavailable": Failure.TRANSIENT,
    "NoEnvironment": Failure.GONE,
    "Request_EntityChanged": Failure.TRANSIENT,
    "SkipTokenIsNoLongerValid": Failure.LINK_LOST,
    "Unknown": Failure.NOT_UNDERSTOOD,
}
SERVER_ERROR = "Internal_ServerError"
NEW_PERMISSION = (
    "Sorry, the current permissions prevented the action. (TableData 18 Customer Read: Base App)"
)
OLD_PERMISSION = "You do not have the following permissions on TableData Customer: Read."
READ_ONLY = "Cannot insert a record. Current connection intent is Read-Only."
OR = "The 'OR' operator is not supported on distinct fields on an OData filter."
IN = "The OData filter expression is not supported."
UNKNOWN_COLUMN = "Could not find a property named 'Nope' on type 'NAV.customer'."


def body(code: str, message: str) -> dict[str, Any]:
    """The body of a refusal."""
    return {"error": {"code": code, "message": f"{message}  CorrelationId:  {ID}."}}


def meaning(status: int, body: object) -> Failure:
    """Classify a body."""
    said = refusal.read(json.dumps(body).encode(), "application/json; odata.metadata=minimal")
    return classify(status, said, errors)


@pytest.mark.parametrize("code", CODES)
def test_code_is_classified(code: str) -> None:
    assert meaning(400, body(code, "Words that mean nothing.")) is CODES[code]


@pytest.mark.parametrize(
    ("status", "code", "message", "failure"),
    [
        *(
            (status, SERVER_ERROR, words, Failure.DENIED)
            for status in (400, 403, 500)
            for words in (NEW_PERMISSION, OLD_PERMISSION)
        ),
        (400, "Application_DialogException", NEW_PERMISSION, Failure.DENIED),
        (403, SERVER_ERROR, f"{NEW_PERMISSION} Please try again later.", Failure.DENIED),
        (400, "Unknown", TRY_LATER, Failure.TRANSIENT),
        (400, "Application_DialogException", TRY_LATER, Failure.TRANSIENT),
        (409, SERVER_ERROR, DEADLOCK, Failure.TRANSIENT),
        (409, "Request_EntityChanged", MESSAGES["Request_EntityChanged"], Failure.TRANSIENT),
        (409, "Internal_EntityWithSameKeyExists", "It already exists.", Failure.FATAL),
        (503, "Internal_TenantUnavailable", "The tenant is not accessible.", Failure.TRANSIENT),
        (500, SERVER_ERROR, "An internal server error occurred.", Failure.TRANSIENT),
        (500, SERVER_ERROR, "The operation has timed out.", Failure.TOO_LARGE),
        (400, SERVER_ERROR, READ_ONLY, Failure.READ_ONLY),
        (500, SERVER_ERROR, READ_ONLY, Failure.READ_ONLY),
        (400, "BadRequest", "The skip token is no longer valid.", Failure.LINK_LOST),
        (410, "SkipTokenIsNoLongerValid", "It is gone.", Failure.LINK_LOST),
        (501, "BadRequest_MethodNotImplemented", OR, Failure.NOT_UNDERSTOOD),
        (501, "BadRequest_MethodNotImplemented", IN, Failure.NOT_UNDERSTOOD),
        (501, "Unknown", IN, Failure.NOT_UNDERSTOOD),
        (400, "BadRequest", UNKNOWN_COLUMN, Failure.UNKNOWN_COLUMN),
        (400, "BadRequest", "The query string is too long.", Failure.ADDRESS_TOO_LONG),
        (404, "BadRequest_NotFound", "x", Failure.GONE),
        (404, "Unknown", "Resource not found for the segment 'x'.", Failure.GONE),
        (401, "Unauthorized", "The credentials provided are incorrect.", Failure.UNAUTHORIZED),
        # The words of a 401 decide nothing.
        (401, "Unauthorized", "You do not have permissions. Please retry.", Failure.UNAUTHORIZED),
        (403, "Authentication_InvalidCredentials", "x", Failure.UNAUTHORIZED),
        (408, "Unknown", "x", Failure.TOO_LARGE),
        (413, "RequestEntityTooLarge", "x", Failure.TOO_LARGE),
        (414, "Unknown", "x", Failure.ADDRESS_TOO_LONG),
        (429, "Application_TooManyRequests", "Please try again later.", Failure.THROTTLED),
        (429, "Unknown", "x", Failure.THROTTLED),
        (502, "Unknown", "x", Failure.TRANSIENT),
        (503, "Unknown", "The server is busy. Please try again later.", Failure.TRANSIENT),
        (504, "Unknown", "x", Failure.TOO_LARGE),
    ],
    ids=str,
)
def test_refusal_is_classified(status: int, code: str, message: str, failure: Failure) -> None:
    assert meaning(status, body(code, message)) is failure


def test_answer_404_without_a_body_is_the_service_s_own_and_a_web_page_is_not() -> None:
    empty, page = refusal.read(b"", ""), refusal.read(b"<html>", "text/html")
    assert errors.classify(empty, 404) is Failure.GONE
    assert errors.classify(page, 404) is None
    assert errors.classify(empty, 400) is None


def test_web_service_that_was_removed_on_premises_is_skipped_without_retries(
    central: CentralSandbox,
) -> None:
    url = central.on_premises_url.replace("api/v2.0", "ODataV4")
    tap = Tap({"service_url": url, **BASIC, "tables": ["Customer_Card"]})
    catalog = json.loads(json.dumps(tap.discover()).replace("Customer_Card", "Removed_Card"))
    central.clear_requests()
    run = tap.run(catalog=catalog)
    assert "None of the selected tables can be read" in run.logged("ERROR")[-1]
    assert any("Skipped 'Removed_Card" in line for line in run.logged("WARNING"))
    asked = [request["path"] for request in central.requests() if "Removed" in request["path"]]
    assert len(asked) == len(set(asked))


@given(
    st.integers(400, 599),
    st.sampled_from([*CODES]) | st.text(),
    st.sampled_from([NEW_PERMISSION, READ_ONLY, DEADLOCK, OR]) | st.text(),
)
def test_any_refusal_is_classified(status: int, code: str, message: str) -> None:
    failure = meaning(status, body(code, message))
    assert failure in Failure
    if status == 401:
        assert failure is Failure.UNAUTHORIZED


def sync(central: CentralSandbox, **settings: Any) -> Run:
    """Sync the companies, which are a table without a company of its own."""
    return Tap({**central.settings, "tables": ["companies"], **settings}).run()


@pytest.mark.parametrize("status", [400, 403, 500])
@pytest.mark.parametrize("message", [NEW_PERMISSION, OLD_PERMISSION])
def test_missing_permission_skips_the_table_with_advice_and_is_not_retried(
    central: CentralSandbox, status: int, message: str
) -> None:
    central.fault(
        "/companies",
        count=None,
        status=status,
        code=SERVER_ERROR,
        message=message,
        error_form="central",
    )
    run = sync(central)
    assert run.status == 1
    skipped, _ = run.logged("WARNING")
    assert skipped.startswith("Skipped 'companies', which can't be read.")
    assert message.rstrip(".") in skipped
    assert "permission set that may read the table" in skipped
    assert skipped.endswith("use the setting companies.")
    assert "Microsoft Entra applications" in skipped
    assert re.search(r"CorrelationId: [0-9a-f-]{36}\b", skipped)
    assert central.hits() == [1]


@pytest.mark.parametrize("status", [400, 403, 500])
def test_table_that_permission_sets_do_not_reach_is_skipped(
    central: CentralSandbox, status: int
) -> None:
    central.configure(forbidden_tables=["companies"], permission_status=status)
    run = sync(central)
    assert run.status == 1
    skipped, _ = run.logged("WARNING")
    assert "can't be read" in skipped
    assert "the current permissions prevented the action" in skipped


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 400, "code": "Unknown", "message": TRY_LATER}, "try again later"),
        ({"status": 409, "code": SERVER_ERROR, "message": DEADLOCK}, "deadlocked"),
        ({"status": 409, "code": "Request_EntityChanged"}, "already changed the record"),
        ({"status": 503, "code": "Internal_TenantUnavailable"}, "tenant is unavailable"),
        ({"status": 502, "code": "Unknown"}, "answered 502"),
    ],
    ids=lambda fault: fault.get("code") if isinstance(fault, dict) else None,
)
def test_transient_refusal_is_retried_with_its_correlation_id_in_the_warning(
    central: CentralSandbox, fault: dict[str, Any], words: str
) -> None:
    central.fault("/companies", error_form="central", **fault)
    run = sync(central)
    assert run.status == 0
    assert run.counts == {"companies": 5}
    (warning,) = run.logged("WARNING")
    assert words in warning
    assert re.search(r"CorrelationId: [0-9a-f-]{36}\. .*Trying again in", warning)


def test_correlation_id_is_taken_from_the_header_if_the_body_has_none(
    central: CentralSandbox,
) -> None:
    for header in ("ms-correlation-x", "Request-Id"):
        headers = {"Content-Type": "text/html", header: ID}
        central.fault("/companies", status=503, headers=headers, body="<html>Sorry.</html>")
    run = sync(central)
    assert run.status == 0
    assert [f"CorrelationId: {ID}." in line for line in run.logged("WARNING")] == [True, True]


def test_correlation_id_of_rows_that_are_cut_off_is_in_the_warning(
    central: CentralSandbox,
) -> None:
    central.fault("/companies", cut=True)
    run = sync(central)
    assert run.counts == {"companies": 5}
    (warning,) = run.logged("WARNING")
    assert "is cut off" in warning
    assert re.search(r"CorrelationId: [0-9a-f-]{36}\. Trying again in", warning)


def test_correlation_id_of_a_long_message_is_kept() -> None:
    long = answer(json.dumps(body("Unknown", "word " * 500)).encode(), 400)
    with serving(long) as server:
        url = f"{server.url}/BC/api/v2.0/"
        run = Tap({"service_url": url, "access_token": "invented-access-token"}).run("--discover")
    assert f"CorrelationId: {ID}." in run.refusal()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        (
            "Nowhere",
            ("Environment 'Nowhere' does not exist", "admin center lists the environments"),
        ),
        (
            "Production",
            ("Resource not found for the segment", "service_url or api_routes. A custom API"),
        ),
    ],
)
def test_address_that_does_not_exist_is_refused_with_advice(
    central: CentralSandbox, environment: str, words: tuple[str, str]
) -> None:
    route = "api/v2.0" if environment == "Nowhere" else "api/invented/app/v1.0"
    url = central.api_url(route, environment)
    message = Tap({**central.settings, "service_url": url}).run("--discover").refusal()
    assert all(each in message for each in words)


def test_services_that_are_switched_off_are_refused_with_advice(central: CentralSandbox) -> None:
    central.configure(odata_off=True)
    url = central.on_premises_url.replace("api/v2.0", "ODataV4")
    message = Tap({"service_url": url, **BASIC}).run("--discover").refusal()
    assert "answered 405" in message
    assert "an administrator has to enable" in message
