"""The tap and a Finance & Operations: sign-in, companies, refusals."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.tap import Message, Run, Tap, entry, select

if TYPE_CHECKING:
    from sandbox.finance_client import FinanceSandbox

SETS = ["CustomersV3", "Currencies"]


@pytest.fixture
def tap(finance: FinanceSandbox) -> Tap:
    """The tap with the settings that the sandbox announces."""
    return Tap({**finance.settings})


@pytest.fixture(scope="module")
def catalog(finance_sandbox: FinanceSandbox) -> Message:
    """The catalog of the sandbox."""
    return Tap({**finance_sandbox.settings}).discover()


def companies(run: Run) -> set[str]:
    """The companies of the customers that a run sent."""
    return {row["dataAreaId"] for row in run.records("CustomersV3")}


def test_app_signs_in_as_itself_and_reads_the_default_company(tap: Tap) -> None:
    app = tap.but(refresh_token=None, tables=SETS)
    run = app.sync()
    assert companies(run) == {"usmf"}
    (warning,) = run.logged("WARNING")
    assert "default company" in warning


def test_cross_company_reads_the_companies_that_the_user_may_read(
    finance: FinanceSandbox, tap: Tap
) -> None:
    wide = tap.but(tables=SETS, cross_company=True).sync()
    narrow = tap.but(tables=SETS, cross_company=False).sync()
    assert companies(wide) == {"usmf", "ussi", "demf", "dat"}
    assert len(narrow.records("CustomersV3")) < len(wide.records("CustomersV3"))
    # A set without companies has the same rows.
    assert wide.records("Currencies") == narrow.records("Currencies")
    assert len(wide.records("Currencies")) == len(finance.rows("Currencies"))
    assert not wide.logged("WARNING") + narrow.logged("WARNING")


def test_narrower_scope_does_not_delete_the_rows_of_other_companies(tap: Tap) -> None:
    versions = tap.but(tables=["AutomaticCharges"], emit_activate_version_messages=True)
    wide = versions.but(cross_company=True).sync()
    narrow = versions.but(cross_company=False).sync(state=wide.state)
    assert len(narrow.records("AutomaticCharges")) < len(wide.records("AutomaticCharges"))
    assert any(message["type"] == "ACTIVATE_VERSION" for message in wide.messages)
    assert not any(message["type"] == "ACTIVATE_VERSION" for message in narrow.messages)
    (warning,) = narrow.logged("WARNING")
    assert "Set cross_company to true" in warning


def test_app_without_the_tenant_is_told_to_name_it(tap: Tap) -> None:
    sentence = tap.but(token_uri=None).run("--discover").refusal()
    assert "set token_uri" in sentence


def test_scope_with_a_slash_gives_a_token_that_is_refused_with_advice(
    finance: FinanceSandbox, tap: Tap
) -> None:
    scope = f"{finance.url}//.default"
    app = tap.but(refresh_token=None, scope=scope)
    sentence = app.run("--discover").refusal()
    assert "does not accept the sign-in" in sentence
    assert "without a slash" in sentence


def test_app_that_is_not_listed_fails_the_run_with_advice(
    finance: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    finance.configure(app_not_listed=True)
    sentence = tap.run("--discover").refusal()
    assert "Microsoft Entra ID applications" in sentence
    chosen = select(catalog, {"CustomersV3": None})
    run = tap.run(catalog=chosen)
    assert run.status == 1
    assert "Microsoft Entra ID applications" in " ".join(run.logged("ERROR"))
    assert not any(line.startswith("Skipped") for line in run.logged("WARNING"))


def test_set_without_a_right_is_skipped_with_a_hint_at_the_role(
    finance: FinanceSandbox, tap: Tap
) -> None:
    finance.configure(forbidden_tables=["Currencies"])
    run = tap.but(tables=SETS, cross_company=False).sync()
    assert set(run.counts) == {"CustomersV3"}
    assert any("Currencies" in line and "security role" in line for line in run.logged("WARNING"))


def test_set_that_is_broken_fails_alone_without_a_retry(finance: FinanceSandbox, tap: Tap) -> None:
    finance.break_entity("Currencies", message="The rate of SEK is missing.")
    finance.clear_requests()
    run = tap.but(tables=SETS, cross_company=False).run()
    assert run.status == 1
    assert set(run.counts) == {"CustomersV3"}
    assert any("The rate of SEK is missing." in line for line in run.logged("ERROR"))
    for hidden in ("target of an invocation", "   at ", "stacktrace"):
        assert hidden not in run.log
    asked = [request for request in finance.requests() if request["path"].endswith("Currencies")]
    assert len(asked) == 1


@pytest.mark.parametrize("message", ["A deadlock occurred.", "Execution Timeout Expired."])
def test_set_that_is_broken_for_a_moment_is_read_again(
    finance: FinanceSandbox, tap: Tap, message: str
) -> None:
    finance.break_entity("Currencies", message=message, count=1)
    run = tap.but(tables=["Currencies"], cross_company=False).sync()
    assert len(run.records("Currencies")) == len(finance.rows("Currencies"))


def test_throttling_without_a_header_waits_for_half_a_minute(
    finance: FinanceSandbox, tap: Tap
) -> None:
    finance.configure(throttled_requests=1, throttle_header=False)
    sentence = tap.but(ws_retry_wait_limit=10).run("--discover").refusal()
    seconds = sentence.partition("To wait for another ")[2].partition(" s")[0]
    assert 30 <= float(seconds) <= 45


def test_waits_of_throttled_requests_double_up_to_four_minutes(
    finance: FinanceSandbox, tap: Tap
) -> None:
    finance.configure(throttled_requests=5, throttle_header=False)
    hasty = replace(tap.but(tables=["Currencies"]), clock={"ahead": 0, "speed": 1_000})
    run = hasty.run("--discover")
    assert run.status == 0, run.log
    told = [re.search(r"Trying again in (\d+) s", line) for line in run.logged("WARNING")]
    waits = [int(found[1]) for found in told if found]
    least = [30, 60, 120, 240, 240]
    # With up to half as much jitter.
    assert all(few <= wait <= 1.5 * few for few, wait in zip(least, waits, strict=True)), waits


def test_rows_fit_the_schema_and_keep_what_the_service_sends(
    finance: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    run = tap.but(tables=["*"], cross_company=False).sync()
    assert set(run.counts) == {stream["tap_stream_id"] for stream in catalog["streams"]}
    sent: dict[str, Any] = run.records("Currencies")[0]
    assert sent in finance.rows("Currencies")
    columns = entry(catalog, "CustomersV3")["schema"]["properties"]
    assert set(run.records("CustomersV3")[0]) == set(columns)
