"""The setting cross_company: an option of each request for rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.odata.client import with_options
from tests.servers.scripted import answer
from tests.services.finance_operations.service import Answer, customer, rows
from tests.services.finance_operations.service import running as service

OPTION = "cross-company=true"


def test_each_request_for_rows_has_the_option_once() -> None:
    """Also requests for the next pages, which repeat it or not, and those after a failure."""
    calls: list[str] = []

    def customers(target: str) -> Answer:
        calls.append(target)
        if len(calls) == 2:
            return answer(b"", 503, Retry_After="0")
        if len(calls) < 5:
            option = f"&{OPTION}" if len(calls) % 2 else ""
            return rows(customer(len(calls)), link=f"/data/CustomersV3?$skip={len(calls)}{option}")
        return rows(customer(9))

    with service(
        {"CustomersV3": customers},
        tables=["CustomersV3", "Rates", "Charge"],
        cross_company=True,
        ws_retry_count=2,
    ) as running:
        running.tap.sync()
        reads = running.reads
    assert len(calls) >= 5
    assert {read.partition("?")[0] for read in reads} == {
        "/data/CustomersV3",
        "/data/Rates",
        "/data/Charge",
    }
    assert [read.count(OPTION) for read in reads] == [1] * len(reads)


@pytest.mark.parametrize("value", [False, None])
def test_no_request_has_the_option_unless_the_setting_is_true(value: bool | None) -> None:  # noqa: FBT001 - a parameter
    settings = {} if value is None else {"cross_company": value}
    with service(tables=["*"], **settings) as running:
        run = running.tap.sync()
        assert running.reads
        assert not any("cross-company" in read for read in running.reads)
    warnings = [line for line in run.logged("WARNING") if "default company" in line]
    assert len(warnings) == (value is None)
    assert not any("cross_company" not in line for line in warnings)


def test_connection_test_says_that_only_one_company_is_read() -> None:
    with service(tables=["CustomersV3"]) as running:
        run = running.tap.run("--test")
    (warning,) = [line for line in run.logged("WARNING") if "default company" in line]
    assert "cross_company" in warning


def test_requests_for_metadata_lack_the_option() -> None:
    with service(cross_company=True) as running:
        run = running.tap.run("--discover")
        assert running.server.asked == ["GET /data/$metadata"]
    assert not run.logged("WARNING")


PARTS = st.text(st.characters(exclude_characters="#&?", codec="ascii"), max_size=8)


@given(st.lists(PARTS), st.booleans())
def test_with_options_keeps_the_url_and_adds_each_option_once(
    parts: list[str],
    has_query: bool,  # noqa: FBT001 - generated
) -> None:
    url = "https://host/data/Set" + (f"?{'&'.join(parts)}" if has_query else "")
    once = with_options(url, {"cross-company": "true"})
    assert once.startswith(url)
    assert once.removeprefix(url) in {"?cross-company=true", "&cross-company=true", ""}
    assert with_options(once, {"cross-company": "true"}) == once
    assert with_options(url, {}) == url


@pytest.mark.parametrize(
    "query", ["a=1&cross-company=true", "Cross-Company=true&a=1", "cross%2Dcompany=true"]
)
def test_with_options_leaves_a_query_that_has_the_option(query: str) -> None:
    url = f"https://host/data/Set?{query}"
    assert with_options(url, {"cross-company": "true"}) == url
