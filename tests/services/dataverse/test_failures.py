"""Classification of refusals: by code and words in any form, with any status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.faults.refusals import FORMS
from tap_dynamics365.connection import connect
from tap_dynamics365.errors import Failure
from tap_dynamics365.http import refusal
from tap_dynamics365.http.response import classify
from tap_dynamics365.odata.metadata_document import read_metadata
from tap_dynamics365.services.dataverse import errors
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.servers.scripted import answer, serving
from tests.tap import Message, Tap, entry, in_one_mode, reads, select

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox

# Every plausible status of an error whose code decides.
STATUSES = [400, 403, 404, 409, 410, 429, 500, 501, 502, 503, 504, 520]
PRIVILEGE = (
    "Principal user (Id=1c2d3e4f-0000-4000-8000-000000000000, type=8, roleCount=4), is missing "
    "prvReadContact privilege on OTC=2 for entity 'contact'."
)


@pytest.fixture(scope="module")
def chosen(catalog: Message) -> Message:
    """Two tables, of which one will be refused."""
    return select(catalog, {"contact": ["fullname"], "lead": ["subject"]})


def transient(failure: Failure) -> bool:
    """Tell whether a request that failed so is repeated."""
    return failure in {Failure.THROTTLED, Failure.TRANSIENT, Failure.TOO_LARGE}


@pytest.mark.parametrize("status", STATUSES)
def test_classify_code_with_any_status_keeps_its_meaning(status: int) -> None:
    for code, failure in errors.FAILURES.items():
        found = classify(status, refusal.Refusal(code, ("As ordered.",)), errors)
        assert found is failure, (code, status)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 599])
def test_classify_server_error_without_code_is_transient(status: int) -> None:
    assert transient(classify(status, refusal.Refusal(), errors))


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (400, Failure.NOT_UNDERSTOOD),
        (401, Failure.UNAUTHORIZED),
        (403, Failure.DENIED),
        (404, Failure.GONE),
        (405, Failure.NOT_UNDERSTOOD),
        (410, Failure.GONE),
        (412, Failure.FATAL),
        (414, Failure.ADDRESS_TOO_LONG),
        (429, Failure.THROTTLED),
        (501, Failure.NOT_UNDERSTOOD),
    ],
)
def test_classify_unknown_code_is_decided_by_status(status: int, failure: Failure) -> None:
    said = refusal.Refusal("Invented_Code", ("As ordered.",))
    assert classify(status, said, errors) is failure


def test_classify_410_of_a_delta_token_is_an_expired_token() -> None:
    found = classify(410, refusal.Refusal(), errors, query="$deltatoken=919042%2108%2f22%2f2017")
    assert found is Failure.TOKEN_EXPIRED


@pytest.mark.parametrize(
    ("words", "failure"),
    [
        ("The data provider does not sort: $orderby is not supported.", Failure.NOT_UNDERSTOOD),
        ("Order by is not implemented.", Failure.NOT_UNDERSTOOD),
        ("The account is closed.", Failure.FATAL),
        ("The system is busy, please try again.", Failure.TRANSIENT),
    ],
)
def test_classify_refusal_of_a_plug_in_is_decided_by_its_words(
    words: str, failure: Failure
) -> None:
    assert classify(400, refusal.Refusal("0x80040265", (words,)), errors) is failure


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                ["error", "code", "message", "innererror", "internalexception", "value"]
            )
            | st.text(),
            inner,
        )
    ),
)


@given(
    st.binary() | st.text().map(str.encode) | _json.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(["", "application/json", "text/plain", "application/xml", "text/html"]),
)
def test_read_any_body_gives_a_code_and_messages(body: bytes, content_type: str) -> None:
    said = refusal.read(body, content_type)
    assert isinstance(said.code, str)
    assert all(message.strip() for message in said.messages)
    assert isinstance(said.cause, str)


@given(st.integers(0x80000000, 0x8FFFFFFF))
def test_read_code_in_any_notation_is_the_same(number: int) -> None:
    wanted = f"0x{number:08x}"
    for code in (wanted, wanted.upper().replace("X", "x"), number - 2**32, str(number - 2**32)):
        body = json.dumps({"error": {"code": code, "message": "As ordered."}}).encode()
        assert refusal.read(body, "application/json").code == wanted


@in_one_mode
@pytest.mark.parametrize("form", FORMS)
def test_refused_table_in_any_form_of_error_is_skipped_with_its_words(
    service: Sandbox, tap: Tap, chosen: Message, form: str
) -> None:
    order: dict[str, Any] = {"code": "0x80040220", "message": PRIVILEGE, "error_form": form}
    service.fault("/contacts", status=403, count=None, **order)
    run = tap.sync(catalog=chosen)
    (warning,) = (line for line in run.logged("WARNING") if line.startswith("Skipped 'contact'"))
    assert "is missing prvReadContact privilege" in warning
    assert "An error has occurred" not in warning
    assert len(run.records("lead")) == len(service.rows("lead"))


@in_one_mode
@pytest.mark.parametrize("status", [400, 500])
def test_privilege_of_an_older_release_with_any_status_skips_the_table(
    service: Sandbox, tap: Tap, chosen: Message, status: int
) -> None:
    words = "SecLib::AccessCheckEx failed. Returned hr = -2147187962, ObjectID: 1c2d3e4f."
    service.fault("/contacts", status=status, message=words, error_form="no_code", count=None)
    run = tap.sync(catalog=chosen)
    assert any("SecLib::AccessCheckEx" in line for line in run.logged("WARNING"))


# What a gateway or proxy says in place of the service, which therefore denies nothing.
STRANGERS: dict[str, dict[str, Any]] = {
    "ingress": {"status": 404, "body": "default backend - 404"},
    "gateway": {"status": 404, "body": {"message": "no Route matched with those values"}},
    "mesh": {"status": 403, "body": "RBAC: access denied"},
    "empty": {"status": 403, "body": ""},
    "gone": {"status": 410, "body": "gone"},
    "page": {
        "status": 403,
        "body": "<html>Blocked</html>",
        "headers": {"Content-Type": "text/html"},
    },
}


@in_one_mode
@pytest.mark.parametrize("fault", STRANGERS.values(), ids=STRANGERS)
def test_refusal_that_is_not_the_services_own_is_retried_and_skips_no_table(
    service: Sandbox, tap: Tap, chosen: Message, fault: dict[str, Any]
) -> None:
    fault = {**fault, "headers": {"Content-Type": "text/plain", **fault.get("headers", {})}}
    service.fault("contacts.*skiptoken", retry_after="0", **fault)
    run = tap.but(max_parallel_requests=1).sync(catalog=chosen)
    assert len(run.records("contact")) == len(service.rows("contact"))
    service.fault("/contacts", count=None, retry_after="0", **fault)
    run = tap.but(ws_retry_count=1).run(catalog=chosen)
    assert run.status == 1
    assert "'contact' failed" in " ".join(run.logged("ERROR"))


@in_one_mode
@pytest.mark.parametrize("status", [403, 404, 501])
def test_refusal_with_a_transient_code_is_retried_whatever_its_status(
    service: Sandbox, tap: Tap, chosen: Message, status: int
) -> None:
    service.fault("/contacts", status=status, code="0x80044151", retry_after="0", count=2)
    run = tap.sync(catalog=chosen)
    assert len(run.records("contact")) == len(service.rows("contact"))


@in_one_mode
def test_error_in_a_response_with_status_200_is_never_the_end_of_the_rows(
    service: Sandbox, tap: Tap, chosen: Message
) -> None:
    """An error after the status was sent follows the rows that were sent."""
    error = '"error":{"code":"0x80044150","message":"Generic SQL error."}'
    cut = [[r'"@odata\.nextLink":"[^"]*"', error]]
    service.fault(r"/contacts\?", substitute=cut, count=1)
    alone = tap.but(max_parallel_requests=1)
    run = alone.sync(catalog=chosen)
    assert len(run.records("contact")) == len(service.rows("contact"))
    assert any("contains an error: Generic SQL error." in line for line in run.logged("WARNING"))
    service.clear_faults()
    service.fault("/contacts", status=200, body=f"{{{error}}}", count=1)
    assert len(alone.sync(catalog=chosen).records("contact")) == len(service.rows("contact"))


@in_one_mode
def test_column_that_an_outer_message_names_is_left_out(
    service: Sandbox, tap: Tap, chosen: Message
) -> None:
    words = "Could not find a property named 'fullname' on type 'Microsoft.Dynamics.CRM.contact'."
    inner = {"message": "An error has occurred."}
    error = {"code": "0x0", "message": words, "innererror": inner}
    service.fault("/contacts", status=400, body={"error": error}, count=1)
    run = tap.sync(catalog=chosen)
    assert len(run.records("contact")) == len(service.rows("contact"))
    assert any("'fullname' of 'contact' has left" in line for line in run.logged("WARNING"))


@in_one_mode
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 400, "code": "0x8004abcd"},
        {"status": 400, "body": ""},
        {"status": 403, "code": "0x80044151"},
        {"status": 404, "body": "default backend - 404", "headers": {"Content-Type": "text/plain"}},
        {"status": 501, "code": "0x80044150"},
    ],
    ids=["unknown-code", "empty", "denied-for-now", "ingress", "not-implemented-for-now"],
)
def test_discovery_with_an_unknown_refusal_ends_without_a_catalog(
    service: Sandbox, tap: Tap, fault: dict[str, Any]
) -> None:
    """Without the service's own description keys would be other ones."""
    path = "RetrieveMetadataChanges|EntityDefinitions"
    service.fault(path, retry_after="0", count=None, **fault)
    run = tap.but(ws_retry_count=1).run("--discover")
    run.refusal()
    assert not run.output


@in_one_mode
def test_discovery_of_an_older_release_requests_only_its_properties(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.configure(no_metadata_changes=404)
    words = "Could not find a property named 'TableType' on type 'mscrm.EntityMetadata'."
    service.fault("EntityDefinitions.*TableType", status=400, message=words, count=None)
    found = tap.discover()
    assert len(found["streams"]) == len(catalog["streams"])
    # The one of `$metadata` is `ownerid`.
    assert entry(found, "team")["key_properties"] == ["teamid"]


@in_one_mode
def test_batch_part_refused_with_an_unknown_code_fails_the_metadata_streams(
    service: Sandbox, tap: Tap
) -> None:
    service.configure(no_metadata_changes=404)
    service.fault("Attributes/", in_batch=True, status=400, code="0x8004abcd", count=None)
    run = tap.but(metadata_streams=True, tables=["contact"]).run()
    assert run.status == 1
    assert not run.records("TableMetadata")


@in_one_mode
@pytest.mark.parametrize("code", ["0x80044151", "0x80044150", "0x8004418d"])
@pytest.mark.parametrize("table", ["", "systemuser"], ids=["all-tables", "one-table"])
def test_discovery_with_a_lasting_transient_failure_ends_without_a_catalog(
    service: Sandbox, tap: Tap, code: str, table: str
) -> None:
    service.fault("RetrieveMetadataChanges", status=400, code=code, retry_after="0", count=None)
    asking = tap.but(ws_retry_count=1, tables=[table] if table else None)
    run = asking.run("--discover")
    assert code in run.refusal()
    assert not run.output
    assert not any("EntityDefinitions" in request["path"] for request in service.requests())


@in_one_mode
@pytest.mark.parametrize("status", [400, 500, 503])
def test_discovery_with_a_transient_failure_gives_the_same_catalog(
    service: Sandbox, tap: Tap, catalog: Message, status: int
) -> None:
    for path in ("RetrieveMetadataChanges", r"\$metadata"):
        service.fault(path, status=status, code="0x80044151", retry_after="0", count=2)
    assert tap.discover() == catalog


@in_one_mode
@pytest.mark.parametrize("status", [400, 500, 503])
def test_batch_part_with_a_transient_failure_is_requested_again(
    service: Sandbox, tap: Tap, status: int
) -> None:
    """A part that was refused for good would leave choices and targets out of the description."""
    service.configure(no_metadata_changes=501)
    describing = tap.but(metadata_streams=True, tables=["contact"])
    whole = describing.sync()
    service.fault(
        "Attributes/", in_batch=True, status=status, code="0x80044150", retry_after="0", count=1
    )
    again = describing.sync()
    assert again.counts == whole.counts
    assert service.hits() == [1]


@in_one_mode
@pytest.mark.parametrize(
    "origin",
    ["http://inner.example:8080", "https://inner.example", "HTTP://INNER.EXAMPLE:80"],
)
def test_link_that_names_another_origin_is_followed_on_that_of_service_url(
    service: Sandbox, tap: Tap, chosen: Message, origin: str
) -> None:
    service.configure(link_origin=origin)
    run = tap.sync(catalog=chosen)
    assert len(run.records("contact")) == len(service.rows("contact"))
    assert len(reads(service.requests(), "contacts")) > 1


def test_service_url_in_any_letter_case_is_known_as_dataverse() -> None:
    body = b"<edmx/>"
    with serving(answer(body, Content_Type="application/xml")) as server:
        config = {"service_url": f"{server.url}/API/Data/V9.2/", "access_token": "invented"}
        made = connect(Settings.from_config(config, JSON_SCHEMA)).client
        with pytest.raises(Exception, match="metadata"):
            read_metadata(made)
    assert server.asked == ["GET /API/Data/V9.2/$metadata?annotations=true"]


@in_one_mode
def test_url_refused_for_its_length_requests_all_columns(
    changing_sandbox: Sandbox, tap_for: Callable[..., Tap]
) -> None:
    names = [f"new_{'x' * 90}{number:03}" for number in range(25)]
    for name in names:
        changing_sandbox.add_column("team", name)
    tap = tap_for(changing_sandbox, tables=["team"])
    catalog = select(tap.discover(), {"team": names})
    for status in (400, 404, 414):
        changing_sandbox.configure(longest_url=2_048, long_url_status=status)
        run = tap.sync(catalog=catalog)
        assert len(run.records("team")) == len(changing_sandbox.rows("team"))
        assert run.records("team")[0].keys() >= set(names)
        assert "description" not in run.records("team")[0]
        assert sum("too long for a URL" in line for line in run.logged("INFO")) == 1


@in_one_mode
def test_discovery_of_many_tables_with_short_urls_gives_the_same_catalog(
    service: Sandbox, tap: Tap
) -> None:
    some = tap.but(tables=["a*", "c*", "s*", "t*"])
    whole = some.discover()
    service.configure(longest_url=2_048)
    assert some.discover() == whole


@in_one_mode
def test_metadata_stream_with_a_lasting_transient_failure_fails_without_rows(
    service: Sandbox, tap: Tap
) -> None:
    """A refusal leaves columns null; a failure that may pass is none, or rows would change."""
    describing = tap.but(metadata_streams=True, tables=["contact"], ws_retry_count=0)
    asked = r"EntityDefinitions\?\$select=LogicalName,PrimaryIdAttribute$"
    service.fault(asked, status=400, code="0x80060888", count=1)
    assert None in {
        row["ReferencedAttribute"] for row in describing.sync().records("TargetMetadata")
    }
    service.fault(asked, status=400, code="0x80044151", count=1)
    run = describing.run()
    assert "SQL timeout expired" in " ".join(run.logged("ERROR"))
    assert not run.records("TargetMetadata")
