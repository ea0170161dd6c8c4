"""The budgets of the service protection limits, and their log lines."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tap_dynamics365.http.budgets import Budgets, number
from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tests.tap import Message, Tap, in_one_mode, select

if TYPE_CHECKING:
    from sandbox.client import Sandbox

TIME = "x-ms-ratelimit-time-remaining-xrm-requests"
BURST = "x-ms-ratelimit-burst-remaining-xrm-requests"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,200.00", 1200),
        ("7999", 7999),
        ("0", 0),
        (" 12.5 ", 12.5),
        ("1,234,567.8", 1_234_567.8),
        ("", None),
        ("-1", None),
        ("many", None),
        ("1e3", None),
        ("nan", None),
        ("١٢", None),
    ],
)
def test_number_with_commas_between_thousands_is_read(text: str, value: float | None) -> None:
    assert number(text) == value


def test_budgets_keep_the_lowest_number_and_accept_more_than_documented() -> None:
    limits = Budgets(DATAVERSE.dialect.budgets)
    for time, burst in (("1,100.00", "7,999"), ("980.25", "7,990"), ("1,050.00", "7,995")):
        limits.answered({TIME: time, BURST: burst})
    assert limits.summary() == "7,990 of 7,999 requests, 980 of 1,200 seconds of work"


def test_budgets_of_a_service_without_limits_are_empty() -> None:
    limits = Budgets(DATAVERSE.dialect.budgets)
    limits.answered({})
    assert limits.summary() == ""


def test_budget_of_which_little_is_left_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    limits = Budgets(DATAVERSE.dialect.budgets)
    with caplog.at_level(logging.INFO, "tap-dynamics365.service"):
        limits.answered({TIME: "120.00", BURST: "600"})
        assert not caplog.records
        limits.answered({TIME: "119.00", BURST: "5,000"})
        limits.answered({TIME: "3.00", BURST: "5"})
    (warning,) = caplog.records
    assert warning.levelname == "WARNING"
    assert "119 of 1,200 seconds of work" in warning.getMessage()


@in_one_mode
def test_run_logs_at_its_end_the_lowest_budgets(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.fault("teams", throttle="requests", retry_after="1")
    run = tap.sync(catalog=select(catalog, {"team": None}))
    told = run.logged("INFO")
    assert any("1,200 seconds of work" in line and "7,999" in line for line in told)
    assert any("paused for 1 s" in line for line in told)
