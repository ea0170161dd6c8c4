"""Broken and slow entities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.sandbox.api import Api

ORDER = "$orderby=dataAreaId,CustomerAccount"


def failure(api: Api, path: str) -> list[str]:
    """The messages of a failure of X++ code, from the outermost to the innermost."""
    response = api.get(path)
    assert response.status_code == 500, response.text
    error = response.json()["error"]
    assert error["code"] == ""
    messages, inner = [error["message"]], error["innererror"]
    while inner:
        assert {"type", "stacktrace"} <= inner.keys()
        messages.append(inner["message"])
        inner = inner.get("internalexception")
    return messages


def test_broken_entity_fails_again_and_again(api: Api) -> None:
    api.sandbox.break_entity("CustomersV3", message="Invalid state of the party.")
    for path in ("CustomersV3", "CustomersV3?$top=1", "CustomersV3?$skip=100000"):
        messages = failure(api, path)
        assert messages[0] == "An error has occurred."
        assert messages[1].startswith("Exception has been thrown by the target")
        assert messages[-1] == "Invalid state of the party."
    assert api.get("VendorsV2").status_code == 200
    api.sandbox.mend()
    assert api.get("CustomersV3").status_code == 200


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_failure_has_as_many_layers_as_ordered(api: Api, layers: int) -> None:
    api.sandbox.break_entity("CustomersV3", layers=layers)
    assert len(failure(api, "CustomersV3")) == 1 + layers


def test_entity_that_is_broken_from_a_row_on_fails_on_the_pages_with_these_rows(api: Api) -> None:
    rows = api.read(f"CustomersV3?{ORDER}")["value"]
    api.sandbox.break_entity("CustomersV3", from_row=20)
    assert api.read(f"CustomersV3?{ORDER}&$top=20")["value"] == rows[:20]
    failure(api, f"CustomersV3?{ORDER}&$top=21")
    failure(api, f"CustomersV3?{ORDER}&$skip=20&$top=1")
    failure(api, "CustomersV3")


def test_single_broken_row_fails_only_the_page_with_it(api: Api) -> None:
    rows = api.read(f"CustomersV3?{ORDER}")["value"]
    api.sandbox.break_entity("CustomersV3", from_row=20, rows=1)
    failure(api, f"CustomersV3?{ORDER}&$top=21")
    assert api.read(f"CustomersV3?{ORDER}&$skip=21")["value"] == rows[21:]
    failure(api, f"CustomersV3?{ORDER}&$skip=20&$top=1")


def test_broken_column_fails_only_where_it_is_selected(api: Api) -> None:
    api.sandbox.break_entity("CustomersV3", column="PartyNumber")
    failure(api, "CustomersV3")
    failure(api, "CustomersV3?$select=PartyNumber")
    assert api.get("CustomersV3?$select=CustomerAccount").status_code == 200


@pytest.mark.parametrize(
    "message",
    [
        "Cannot select a record in Customers (CustTable). Deadlock, where users have locked it.",
        "An update conflict occurred due to another user process deleting the record.",
        "Execution Timeout Expired. The timeout period elapsed prior to completion.",
    ],
)
def test_transient_failure_ends_after_some_requests(api: Api, message: str) -> None:
    api.sandbox.break_entity("CustomersV3", message=message, count=2)
    for _ in range(2):
        assert failure(api, "CustomersV3")[-1] == message
    assert api.get("CustomersV3").status_code == 200


def test_order_with_an_unknown_attribute_is_refused(api: Api) -> None:
    with pytest.raises(RuntimeError, match="row"):
        api.sandbox.break_entity("CustomersV3", row=1)


# Milliseconds that no client waits for: a request that succeeds had no such delay.
TOO_LONG = 1_000_000


def seconds(api: Api, path: str) -> float:
    """The time that a response takes."""
    response = api.get(path)
    assert response.status_code == 200
    return response.elapsed.total_seconds()


def test_slow_column_delays_each_row_that_has_it(api: Api) -> None:
    api.sandbox.configure(slow_columns={"CustomersV3/PartyNumber": 15})
    for path in ("CustomersV3?$top=20", "CustomersV3?$top=20&$select=PartyNumber"):
        assert seconds(api, path) > 0.3
    api.sandbox.configure(slow_columns={"CustomersV3/PartyNumber": TOO_LONG})
    for path in ("CustomersV3?$select=CustomerAccount", "CustomersV3?$top=0", "VendorsV2"):
        assert api.get(path).status_code == 200


def test_delay_grows_with_the_rows_that_are_skipped(api: Api) -> None:
    api.sandbox.configure(skip_delay_ms=10_000)
    assert seconds(api, "CustomersV3?$skip=30") > 0.3
    api.sandbox.configure(skip_delay_ms=TOO_LONG)
    assert api.get("CustomersV3").status_code == 200


def test_page_delay_is_that_of_every_page(api: Api) -> None:
    api.sandbox.configure(page_delay_ms=300)
    assert seconds(api, "CustomersV3?$top=1") > 0.3
    api.sandbox.configure(page_delay_ms=TOO_LONG)
    assert api.get("$metadata").status_code == 200
