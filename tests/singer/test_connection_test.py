"""Connection test: `--test` requests one row of each table, and logs the result."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.tap import Tap, reads

if TYPE_CHECKING:
    from sandbox.client import Sandbox

TABLES = ["account", "team", "new_externalorder"]


@pytest.fixture
def tap(service: Sandbox) -> Tap:
    """The tap set up for some tables."""
    return Tap({**service.settings, "tables": TABLES})


def test_connection_test_reads_a_row_of_each_selected_table_and_says_so(
    service: Sandbox,
) -> None:
    run = Tap(dict(service.settings)).run("--test")
    assert run.status == 0, run.log
    assert not run.logged("ERROR")
    assert not run.logged("WARNING")
    told = [line for line in run.logged("INFO") if re.fullmatch(r"\w+: (1 row|no rows)\.", line)]
    assert "account: 1 row." in told
    # Besides sign-in, discovery, and the metrics of each request.
    assert len(run.log.splitlines()) < 3 * len(told)
    asked = reads(service.requests())
    assert len(asked) == len(told) == len(run.schemas)
    assert {request["headers"]["prefer"].split(",")[0] for request in asked} == {
        "odata.maxpagesize=1"
    }
    assert set(run.counts.values()) == {1}
    (row,) = run.records("account")
    assert row in service.rows("account")


def test_connection_test_skips_what_may_not_be_read_with_a_warning(
    service: Sandbox, tap: Tap
) -> None:
    service.configure(forbidden_tables=["team"])
    run = tap.run("--test")
    assert run.status == 0, run.log
    (warning,) = run.logged("WARNING")
    assert "Skipped 'team'" in warning
    assert "account: 1 row." in run.logged("INFO")


def test_connection_test_fails_when_no_table_can_be_read(service: Sandbox, tap: Tap) -> None:
    service.configure(forbidden_tables=["account", "team"])
    assert "None of the tables can be read" in tap.run("--test").refusal()


def test_connection_test_names_the_table_that_fails_and_tests_the_others(
    service: Sandbox, tap: Tap
) -> None:
    service.fault("/accounts", status=400, count=None)
    run = tap.run("--test")
    assert "1 of 2 tables failed the test" in run.refusal()
    assert "account" in run.logged("ERROR")[-1]
    assert "team: 1 row." in run.logged("INFO")


def test_connection_test_applies_stream_maps(service: Sandbox, tap: Tap) -> None:
    maps = {"account": {"loud": "name.upper()"}, "team": {"number": "float(name)"}}
    run = tap.but(stream_maps=maps).run("--test")
    assert "Table 'team' failed. Setting stream_maps" in run.refusal()
    assert run.records("account")[0]["loud"].isupper()
    assert reads(service.requests())
