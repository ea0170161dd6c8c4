"""Refusals of Finance & Operations: what each one means, and what a user reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.errors import Failure
from tap_dynamics365.http import refusal
from tap_dynamics365.http.response import classify
from tap_dynamics365.services.finance_operations import errors
from tests.servers.scripted import answer
from tests.services.finance_operations.service import customer, rows
from tests.services.finance_operations.service import running as service
from tests.tap import Run, select

if TYPE_CHECKING:
    from collections.abc import Mapping

TRACE = "   at Microsoft.Dynamics.Ax.Xpp.Invented() in C:\\\\Invented\\\\Path.cs:line 7"


def exception(message: str, *inner: str, outer: str = "An error has occurred.") -> dict[str, Any]:
    """The body of an exception in the code of an entity, with exceptions within it."""
    made: dict[str, Any] = {"message": message, "type": "System.Exception", "stacktrace": TRACE}
    within = made
    for text in inner:
        within["internalexception"] = {
            "message": text,
            "type": "Microsoft.Dynamics.Ax.Xpp.ErrorException",
            "stacktrace": TRACE,
        }
        within = within["internalexception"]
    return {"error": {"code": "", "message": outer, "innererror": made}}


TARGET = "Exception has been thrown by the target of an invocation."
NOT_LISTED = {
    "Message": "An error has occurred.",
    "ExceptionMessage": "Forbidden",
    "ExceptionType": "System.ServiceModel.Web.WebFaultException`1[[System.String]]",
    "StackTrace": "   at Microsoft.Dynamics.Ax.Services.ThrowSessionCreationException(Fault f)",
}
UNKNOWN = (
    "Could not find a property named 'Zone' on type 'Microsoft.Dynamics.DataEntities.CustomerV3'."
)
INVALID = "The query specified in the URI is not valid. "


def meaning(status: int, body: object) -> Failure:
    """Classify a body."""
    said = refusal.read(json.dumps(body).encode(), "application/json; charset=utf-8")
    return classify(status, said, errors)


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (500, exception("Field 'X' must be filled in."), Failure.FATAL),
        (500, exception(TARGET, "Infolog: a record is missing."), Failure.FATAL),
        # The outer message is the same for all exceptions.
        (500, exception("No such enum.", outer="Please try again later."), Failure.FATAL),
        (500, exception(TARGET, outer="A deadlock may have occurred."), Failure.FATAL),
        (500, exception(TARGET, "Transaction was the victim of a deadlock."), Failure.TRANSIENT),
        (500, exception("An update conflict occurred due to a user."), Failure.TRANSIENT),
        (500, exception(TARGET, "Execution Timeout Expired."), Failure.TOO_LARGE),
        (500, exception("The query timed out."), Failure.TOO_LARGE),
        (500, exception("Access denied: CustCustomerV3Entity."), Failure.DENIED),
        (500, exception(TARGET, "You do not have sufficient rights to it."), Failure.DENIED),
        (500, {"Message": "An error has occurred."}, Failure.TRANSIENT),
        (500, {"Message": "An error has occurred.", "ExceptionMessage": "No."}, Failure.FATAL),
        (500, NOT_LISTED, Failure.UNAUTHORIZED),
        (403, NOT_LISTED, Failure.UNAUTHORIZED),
        (403, {"Message": "Forbidden"}, Failure.DENIED),
        (403, {"error": {"code": "", "message": "Forbidden"}}, Failure.DENIED),
        (401, {"Message": "Authorization has been denied for this request."}, Failure.UNAUTHORIZED),
        (401, {"Message": "You are not authorized."}, Failure.UNAUTHORIZED),
        (401, exception("Access to the entity CustomerV3 is denied."), Failure.UNAUTHORIZED),
        (401, exception("Access denied to entity CustomerV3."), Failure.DENIED),
        (401, exception("Not authorized to view the table CustTable."), Failure.DENIED),
        (404, {"Message": "No HTTP resource was found that matches the URI."}, Failure.GONE),
        (400, exception(UNKNOWN, outer=INVALID + UNKNOWN), Failure.UNKNOWN_COLUMN),
        (400, exception("Syntax error at 3.", outer=INVALID + "Syntax."), Failure.NOT_UNDERSTOOD),
        (400, {"Message": "The length of the URL for this request is too great."}, "long"),
        (400, {"Message": "The query string is too long."}, "long"),
        (400, exception("URI exceeds the limit of 2048.", outer=INVALID), "long"),
        (400, exception("The node count limit of 100 was exceeded."), Failure.NOT_UNDERSTOOD),
        (414, {"Message": "x"}, "long"),
        (429, {"Message": "high resource utilization"}, Failure.THROTTLED),
        (503, exception("Down for maintenance."), Failure.TRANSIENT),
        (502, {"Message": "x"}, Failure.TRANSIENT),
        (504, {"Message": "x"}, Failure.TOO_LARGE),
    ],
    ids=str,
)
def test_refusal_is_classified(status: int, body: object, failure: Failure | str) -> None:
    expected = Failure.ADDRESS_TOO_LONG if failure == "long" else failure
    assert meaning(status, body) is expected


@given(
    st.integers(400, 599),
    st.recursive(
        st.none() | st.text(),
        lambda inner: st.dictionaries(
            st.sampled_from(["error", "message", "Message", "innererror", "stacktrace", "type"])
            | st.text(),
            inner,
        ),
    ),
)
def test_refusal_of_any_form_is_classified(status: int, body: object) -> None:
    assert meaning(status, body) in Failure


def sync(answers: Mapping[str, Any]) -> Run:
    """Read two sets, of which one is refused."""
    with service({"CustomersV3": rows(customer(1)), **answers}, cross_company=False) as running:
        catalog = running.tap.discover()
        chosen = select(catalog, {"CustomersV3": None, "Rates": None})
        return running.tap.run(catalog=chosen)


def refused(status: int, body: object, **headers: str) -> bytes:
    """A refusal with this body."""
    return answer(json.dumps(body).encode(), status, **headers)


def test_exception_fails_its_table_alone_with_the_innermost_message() -> None:
    run = sync({"Rates": refused(500, exception(TARGET, "Tax group X is missing."))})
    assert run.status == 1
    assert run.counts == {"CustomersV3": 1}
    (failed, conclusion) = run.logged("ERROR")
    assert "'Rates' failed. The service answered 500" in failed
    assert "Tax group X is missing." in failed
    assert "1 of 2 tables failed" in conclusion
    for hidden in (TARGET, "Invented()", "ErrorException", "invented-access-token"):
        assert hidden not in run.log


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (403, {"Message": "Forbidden"}, "security role"),
        (500, exception(TARGET, "Access denied: RateEntity."), "security role"),
        (401, exception("Access denied to entity Rate."), "security role"),
        (404, {"Message": "No HTTP resource was found for Rates."}, "No HTTP resource"),
    ],
    ids=str,
)
def test_set_that_is_denied_or_gone_is_skipped_with_a_warning(
    status: int, body: object, words: str
) -> None:
    run = sync({"Rates": refused(status, body)})
    assert run.status == 0, run.log
    assert run.counts == {"CustomersV3": 1}
    assert any(words in line and "Rates" in line for line in run.logged("WARNING")), run.log


@pytest.mark.parametrize(
    ("status", "body"), [(401, {}), (403, NOT_LISTED), (500, NOT_LISTED)], ids=str
)
def test_refused_sign_in_names_the_list_of_apps(status: int, body: object) -> None:
    with service() as running:
        running.server.script[:] = [refused(status, body)]
        sentence = running.tap.run("--discover").refusal()
    assert "does not accept the sign-in" in sentence
    assert "System administration > Setup > Microsoft Entra ID applications" in sentence
    assert "token_uri" in sentence
    assert "/.default" in sentence


def test_redirect_to_a_sign_in_page_is_not_followed() -> None:
    page = answer(b"", 302, Location="https://login.microsoftonline.com/common/oauth2/authorize")
    with service() as running:
        running.server.script[:] = [page]
        sentence = running.tap.run("--discover").refusal()
    assert "redirects to https://login.microsoftonline.com" in sentence
    assert "sign-in page" in sentence


def test_unknown_column_is_left_out_and_the_rest_is_read() -> None:
    def customers(target: str) -> bytes | dict[str, Any]:
        if "Zone" in target.partition("$select=")[2]:
            return refused(400, exception(UNKNOWN, outer=INVALID + UNKNOWN))
        return rows(customer(1))

    run = sync({"CustomersV3": customers})
    assert run.status == 0, run.log
    assert run.counts == {"CustomersV3": 1}


@pytest.mark.parametrize("limit", [20, 40])
def test_throttled_request_without_retry_after_waits_half_a_minute_first(limit: int) -> None:
    """A shorter limit than that ends the run at once, and says how long the wait would be."""
    with service(ws_retry_wait_limit=limit - 10) as running:
        running.server.script[:] = [refused(429, {"Message": "High resource utilization."})]
        sentence = running.tap.run("--discover").refusal()
        asked = len(running.server.asked)
    seconds = sentence.partition("To wait for another ")[2].partition(" s")[0]
    assert 30 <= float(seconds) <= 45
    assert asked == 1
